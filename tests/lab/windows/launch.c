/* Starts a program with variables that wine sets itself, such as USERPROFILE, and without those of wine.
 *
 * launch.exe PROGRAM ARGUMENT...
 *
 * LAB_VARIABLES names a file with NAME=value, each ended by a zero byte: UTF-8. LAB_EXIT_CODE names the file for the
 * exit code, of which Unix keeps eight bits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

static WCHAR *wide(const char *text, int length) {
    int size = MultiByteToWideChar(CP_UTF8, 0, text, length, NULL, 0);
    WCHAR *made = calloc(size + 1, sizeof *made);
    MultiByteToWideChar(CP_UTF8, 0, text, length, made, size);
    return made;
}

/* Removes what wine sets for itself. */
static void clean(void) {
    WCHAR *block = GetEnvironmentStringsW();
    for (WCHAR *entry = block; *entry; entry += wcslen(entry) + 1) {
        WCHAR *equals = wcschr(entry + 1, L'=');
        if (equals && (!wcsncmp(entry, L"WINE", 4) || !wcsncmp(entry, L"LAB_", 4) || !wcsncmp(entry, L"LC_ALL=", 7))) {
            WCHAR *name = wcsdup(entry);
            name[equals - entry] = 0;
            SetEnvironmentVariableW(name, NULL);
        }
    }
}

static void set_variables(const WCHAR *path) {
    FILE *file = _wfopen(path, L"rb");
    static char text[1 << 20];
    size_t size = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file) fclose(file);
    for (char *entry = text; entry < text + size; entry += strlen(entry) + 1) {
        WCHAR *name = wide(entry, -1);
        WCHAR *equals = wcschr(name, L'=');
        if (!equals) continue;
        *equals = 0;
        SetEnvironmentVariableW(name, equals + 1);
    }
}

/* What follows the first word. */
static WCHAR *rest(WCHAR *line) {
    int quoted = 0;
    for (; *line && (quoted || (*line != L' ' && *line != L'\t')); line++) quoted ^= *line == L'"';
    while (*line == L' ' || *line == L'\t') line++;
    return line;
}

int main(void) {
    WCHAR variables[4096], result[4096];
    DWORD code;
    STARTUPINFOW start = {.cb = sizeof start, .dwFlags = STARTF_USESTDHANDLES};
    PROCESS_INFORMATION process;
    if (!GetEnvironmentVariableW(L"LAB_VARIABLES", variables, 4096)) return 120;
    if (!GetEnvironmentVariableW(L"LAB_EXIT_CODE", result, 4096)) return 120;
    clean();
    set_variables(variables);
    start.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
    start.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
    start.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    if (!CreateProcessW(NULL, rest(GetCommandLineW()), NULL, NULL, TRUE, 0, NULL, NULL, &start, &process)) {
        fprintf(stderr, "launch: error %lu\n", GetLastError());
        return 121;
    }
    WaitForSingleObject(process.hProcess, INFINITE);
    GetExitCodeProcess(process.hProcess, &code);
    FILE *file = _wfopen(result, L"wb");
    if (!file) return 122;
    fprintf(file, "%lu", code);
    fclose(file);
    return 0;
}
