/* A fake command-line tool. It gives scripted answers and records its calls.
 *
 * fake_program.exe DIRECTORY ARGUMENT...
 *
 * The directory has `name`, `calls` and the answers 0, 1, ...: `N.when` are texts, each ended by a zero byte, of which
 * every one must be in the arguments, joined by spaces; `N.stdout` and `N.stderr` are printed; `N.code` is the exit code;
 * `N.delay` are milliseconds before it prints. If `N.child` exists, a child that outlives it writes to `N.beats` every
 * 50 ms; if `N.stdin` exists, it prints its standard input too.
 */
#include <direct.h>
#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

static WCHAR *directory;

static FILE *open_file(int number, const WCHAR *name, const WCHAR *mode) {
    WCHAR path[4096];
    if (number < 0) _snwprintf(path, 4096, L"%ls\\%ls", directory, name);
    else _snwprintf(path, 4096, L"%ls\\%d.%ls", directory, number, name);
    return _wfopen(path, mode);
}

static char *content(int number, const WCHAR *name, size_t *size) {
    FILE *file = open_file(number, name, L"rb");
    char *text = NULL;
    *size = 0;
    if (!file) return NULL;
    for (size_t got = 1; got; *size += got) {
        text = realloc(text, *size + 65536);
        got = fread(text + *size, 1, 65535, file);
        text[*size + got] = 0;
    }
    fclose(file);
    return text;
}

static DWORD number_in(int number, const WCHAR *name) {
    size_t size;
    char *text = content(number, name, &size);
    return text ? strtoul(text, NULL, 10) : 0;
}

static char *narrow(const WCHAR *text) {
    int size = WideCharToMultiByte(CP_UTF8, 0, text, -1, NULL, 0, NULL, NULL);
    char *made = malloc(size);
    WideCharToMultiByte(CP_UTF8, 0, text, -1, made, size, NULL, NULL);
    return made;
}

/* What lab.fake_programs reads: the name, the working directory, the number of arguments, the arguments, the environment. */
static void record(int count, WCHAR **words) {
    WCHAR name[64], here[4096];
    size_t size;
    _snwprintf(name, 64, L"calls\\%lu.unfinished", GetCurrentProcessId());
    FILE *file = open_file(-1, name, L"wb");
    if (!file) exit(97);
    fprintf(file, "%s%c%s%c%d%c", content(-1, L"name", &size), 0, narrow(_wgetcwd(here, 4096)), 0, count, 0);
    for (int at = 0; at < count; at++) fprintf(file, "%s%c", narrow(words[at]), 0);
    for (WCHAR *entry = GetEnvironmentStringsW(); *entry; entry += wcslen(entry) + 1) fprintf(file, "%s\n", narrow(entry));
    fclose(file);
    WCHAR old[4096], new[4096];
    _snwprintf(old, 4096, L"%ls\\%ls", directory, name);
    _snwprintf(new, 4096, L"%ls\\calls\\%lu", directory, GetCurrentProcessId());
    MoveFileW(old, new);
}

static int applies(int number, const char *line) {
    size_t size;
    char *text = content(number, L"when", &size);
    if (!text) return 0;
    for (char *part = text; part < text + size; part += strlen(part) + 1)
        if (!strstr(line, part)) return 0;
    return 1;
}

static void print(int number, const WCHAR *name, FILE *to) {
    size_t size;
    char *text = content(number, name, &size);
    if (text) fwrite(text, 1, size, to);
    fflush(to);
}

static void copy_input(void) {
    static char piece[65536];
    _setmode(_fileno(stdin), _O_BINARY);
    for (size_t got; (got = fread(piece, 1, sizeof piece, stdin)) > 0;) fwrite(piece, 1, got, stdout);
    fflush(stdout);
}

/* Runs in the child. */
static void beat(int number) {
    for (;;) {
        FILE *file = open_file(number, L"beats", L"ab");
        if (file) {
            fputc('.', file);
            fclose(file);
        }
        Sleep(50);
    }
}

static void start_child(int number) {
    WCHAR own[4096], line[16384];
    STARTUPINFOW start = {.cb = sizeof start};
    PROCESS_INFORMATION process;
    GetModuleFileNameW(NULL, own, 4096);
    _snwprintf(line, 16384, L"\"%ls\" \"%ls\" --child %d", own, directory, number);
    if (!CreateProcessW(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &start, &process)) exit(98);
}

int wmain(int count, WCHAR **words) {
    if (count < 2) return 96;
    directory = words[1];
    if (count == 4 && !wcscmp(words[2], L"--child")) beat(_wtoi(words[3]));
    _setmode(_fileno(stdout), _O_BINARY);
    _setmode(_fileno(stderr), _O_BINARY);
    record(count - 2, words + 2);
    static char line[65536];
    for (int at = 2; at < count; at++) {
        strncat(line, narrow(words[at]), sizeof line - strlen(line) - 2);
        strcat(line, at + 1 < count ? " " : "");
    }
    size_t size;
    for (int number = 0; content(number, L"when", &size); number++) {
        if (!applies(number, line)) continue;
        if (content(number, L"child", &size)) start_child(number);
        Sleep(number_in(number, L"delay"));
        if (content(number, L"stdin", &size)) copy_input();
        print(number, L"stderr", stderr);
        print(number, L"stdout", stdout);
        return (int)number_in(number, L"code");
    }
    fputs("unexpected arguments\n", stderr);
    return 2;
}
