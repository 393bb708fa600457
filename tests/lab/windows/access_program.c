/* A fake icacls.exe and whoami.exe. Wine's icacls does nothing, and its whoami prints no SID.
 *
 * As whoami it prints a name and a SID. As icacls it appends to the file that LAB_ACCESS names: the arguments, and the size
 * of the file that the first one names (-1 for a directory), a line each, and an empty line. It exits with the number in
 * LAB_ACCESS_CODE.
 */
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

static char *narrow(const WCHAR *text) {
    int size = WideCharToMultiByte(CP_UTF8, 0, text, -1, NULL, 0, NULL, NULL);
    char *made = malloc(size);
    WideCharToMultiByte(CP_UTF8, 0, text, -1, made, size, NULL, NULL);
    return made;
}

static long long size_of(const WCHAR *path) {
    WIN32_FILE_ATTRIBUTE_DATA data;
    if (!GetFileAttributesExW(path, GetFileExInfoStandard, &data)) return -2;
    if (data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) return -1;
    return ((long long)data.nFileSizeHigh << 32) | data.nFileSizeLow;
}

int wmain(int count, WCHAR **words) {
    WCHAR path[4096], calls[4096], code[16] = L"0";
    GetModuleFileNameW(NULL, path, 4096);
    if (wcsstr(path, L"whoami")) {
        puts("\"corp\\ada\",\"S-1-5-21-1-2-3-1001\"");
        return 0;
    }
    if (GetEnvironmentVariableW(L"LAB_ACCESS", calls, 4096)) {
        FILE *file = _wfopen(calls, L"ab");
        if (!file) return 97;
        for (int at = 1; at < count; at++) fprintf(file, "%s\n", narrow(words[at]));
        fprintf(file, "%lld\n\n", count > 1 ? size_of(words[1]) : -2);
        fclose(file);
    }
    GetEnvironmentVariableW(L"LAB_ACCESS_CODE", code, 16);
    return wcstol(code, NULL, 10);
}
