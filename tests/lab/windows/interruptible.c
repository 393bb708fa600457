/* Says that it is ready, waits for Ctrl-C, cleans up for half a second, says so, and exits with 1007. */
#include <stdio.h>
#include <windows.h>

static HANDLE interrupted;

static BOOL WINAPI handle(DWORD event) {
    (void)event;
    return SetEvent(interrupted);
}

int main(void) {
    interrupted = CreateEventW(NULL, TRUE, FALSE, NULL);
    SetConsoleCtrlHandler(handle, TRUE);
    puts("ready");
    fflush(stdout);
    WaitForSingleObject(interrupted, 20000);
    Sleep(500);
    puts("cleaned");
    return 1007;
}
