/* Serves an agent's named pipe, as the ssh-agent of Windows does, and hands each request on to a TCP port of loopback.
 *
 * agent_pipe.exe PIPE PORT
 *
 * One thread per connection; each has a connection of its own to the port. It prints "ready" when the pipe exists, and
 * ends with its standard input.
 */
#include <stdio.h>
#include <stdlib.h>
#include <winsock2.h>
#include <windows.h>

/* The agent protocol limits a message to 256 KiB. */
#define MAXIMUM (256 * 1024)

struct connection {
    HANDLE pipe;
    unsigned short port;
};

static int read_pipe(HANDLE pipe, char *to, DWORD length) {
    for (DWORD got; length; to += got, length -= got)
        if (!ReadFile(pipe, to, length, &got, NULL) || !got) return 0;
    return 1;
}

static int write_pipe(HANDLE pipe, const char *from, DWORD length) {
    for (DWORD sent; length; from += sent, length -= sent)
        if (!WriteFile(pipe, from, length, &sent, NULL)) return 0;
    return 1;
}

static int read_socket(SOCKET peer, char *to, int length) {
    for (int got; length; to += got, length -= got)
        if ((got = recv(peer, to, length, 0)) <= 0) return 0;
    return 1;
}

static int write_socket(SOCKET peer, const char *from, int length) {
    for (int sent; length; from += sent, length -= sent)
        if ((sent = send(peer, from, length, 0)) <= 0) return 0;
    return 1;
}

/* The length of a whole message; 0 if it is too long. */
static int length_of(const char *message) {
    unsigned long body = ntohl(*(const unsigned long *)message);
    return body <= MAXIMUM ? (int)body + 4 : 0;
}

/* A request and its response; a handle that is not overlapped cannot read and write at the same time. */
static int exchange(HANDLE pipe, SOCKET peer, char *message) {
    if (!read_pipe(pipe, message, 4) || !length_of(message)) return 0;
    if (!read_pipe(pipe, message + 4, length_of(message) - 4)) return 0;
    if (!write_socket(peer, message, length_of(message))) return 0;
    if (!read_socket(peer, message, 4) || !length_of(message)) return 0;
    if (!read_socket(peer, message + 4, length_of(message) - 4)) return 0;
    return write_pipe(pipe, message, length_of(message));
}

static DWORD WINAPI serve(LPVOID given) {
    struct connection connection = *(struct connection *)given;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(connection.port)};
    SOCKET peer = socket(AF_INET, SOCK_STREAM, 0);
    char *message = malloc(MAXIMUM + 4);
    free(given);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (!connect(peer, (struct sockaddr *)&address, sizeof address))
        while (exchange(connection.pipe, peer, message)) continue;
    /* The client may not have read everything yet. */
    FlushFileBuffers(connection.pipe);
    DisconnectNamedPipe(connection.pipe);
    CloseHandle(connection.pipe);
    closesocket(peer);
    free(message);
    return 0;
}

static DWORD WINAPI end_with_input(LPVOID unused) {
    (void)unused;
    while (getchar() != EOF) continue;
    ExitProcess(0);
}

int main(int count, char **words) {
    WSADATA data;
    if (count != 3 || WSAStartup(MAKEWORD(2, 2), &data)) return 2;
    CloseHandle(CreateThread(NULL, 0, end_with_input, NULL, 0, NULL));
    for (int ready = 0;; ready = 1) {
        struct connection *next = malloc(sizeof *next);
        next->port = (unsigned short)atoi(words[2]);
        next->pipe = CreateNamedPipeA(words[1], PIPE_ACCESS_DUPLEX, PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT,
                                      PIPE_UNLIMITED_INSTANCES, 4096, 4096, 0, NULL);
        if (next->pipe == INVALID_HANDLE_VALUE) return 3;
        if (!ready) {
            puts("ready");
            fflush(stdout);
        }
        if (!ConnectNamedPipe(next->pipe, NULL) && GetLastError() != ERROR_PIPE_CONNECTED) {
            CloseHandle(next->pipe);
            free(next);
            continue;
        }
        CloseHandle(CreateThread(NULL, 0, serve, next, 0, NULL));
    }
}
