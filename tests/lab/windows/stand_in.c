/* Stands for a program: prints the file `NAME.txt` beside NAME.exe, whatever the arguments. */
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

int wmain(void) {
    WCHAR path[32768];
    DWORD length = GetModuleFileNameW(NULL, path, 32768 - 1);
    if (length < 4) return 2;
    wcscpy(path + length - 4, L".txt");
    FILE *file = _wfopen(path, L"rb");
    if (!file) return 3;
    for (int byte; (byte = getc(file)) != EOF;) putchar(byte);
    return 0;
}
