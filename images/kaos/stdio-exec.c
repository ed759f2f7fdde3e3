/* stdio-exec SOCKET -- COMMAND...: one process of a stdio MCP server for each connection to a Unix socket.
 *
 * It runs in the server's own container, before whatever image that is: static, no dependencies, no configuration.
 * The connection is the process's stdin; its stdout is a pipe that is passed on to the connection, for only of a pipe can
 * be seen that the process has closed it. One that lives on without is killed. When the other side closes the connection,
 * the whole process group ends. When the process ends, a last line that no message can be tells how: NUL, "exit N",
 * "signal N" or, of one without stdout, "silent 0", and from the next line on what it said last on stderr. stderr itself
 * goes to the container's log. After SIGTERM no connection is accepted; the end comes when the last one has ended.
 * kaos/dataplane/bridge/stdio_exec.py is its twin for machines without it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { KEPT = 4096, PIECE = 65536, BACKLOG = 128, LEAVE_MS = 2000, DRAINED = 32 };

static char tail[KEPT];
static size_t tail_size;

/* Of stdout, what the other side has not taken yet. */
static char output[PIECE];
static size_t output_begin, output_end;

static void fail(const char *what) {
    fprintf(stderr, "stdio-exec: %s: %s\n", what, strerror(errno));
    exit(1);
}

static long long now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Blocks these signals and returns a descriptor that tells of them. */
static int hear(const int *numbers, sigset_t *set) {
    sigemptyset(set);
    for (; *numbers; numbers++)
        sigaddset(set, *numbers);
    sigprocmask(SIG_BLOCK, set, NULL);
    int fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        fail("signalfd");
    return fd;
}

static void write_all(int fd, const char *data, size_t size) {
    while (size > 0) {
        ssize_t done = write(fd, data, size);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return;
        data += done;
        size -= done;
    }
}

/* To the other side of a connection, which may have gone, or not read: then not for ever. */
static void send_all(int fd, const char *data, size_t size) {
    while (size > 0) {
        ssize_t done = send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (done < 0 && errno == EAGAIN) {
            struct pollfd ready = {fd, POLLOUT, 0};
            if (poll(&ready, 1, LEAVE_MS) > 0)
                continue;
        }
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return;
        data += done;
        size -= done;
    }
}

static void keep(const char *data, size_t size) {
    if (size >= KEPT) {
        memcpy(tail, data + size - KEPT, KEPT);
        tail_size = KEPT;
        return;
    }
    if (tail_size + size > KEPT) {
        size_t gone = tail_size + size - KEPT;
        memmove(tail, tail + gone, tail_size - gone);
        tail_size -= gone;
    }
    memcpy(tail + tail_size, data, size);
    tail_size += size;
}

/* Passes on what the process says on stderr; 0 at its end, -1 when there is nothing now. */
static ssize_t pass_on(int errors) {
    static char piece[PIECE];
    ssize_t size = read(errors, piece, sizeof piece);
    if (size > 0) {
        keep(piece, size);
        write_all(2, piece, size);
    }
    return size;
}

/* Some of stdout, when nothing of it waits; 0 at its end, -1 when there is nothing now. */
static ssize_t take(int out) {
    ssize_t size = read(out, output, sizeof output);
    output_begin = 0;
    output_end = size > 0 ? (size_t)size : 0;
    return size;
}

/* As much of it as the other side takes now. */
static void give(int connection) {
    ssize_t done = send(connection, output + output_begin, output_end - output_begin, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (done > 0)
        output_begin += done;
    else if (errno != EAGAIN && errno != EINTR)
        output_begin = output_end; /* it has gone */
}

static int is_end(ssize_t size) {
    return size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR);
}

static void become(char **command, int connection, int out, int errors) {
    sigset_t none;
    setsid();
    dup2(connection, 0);
    dup2(out, 1);
    dup2(errors, 2);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvp(command[0], command);
    fprintf(stderr, "cannot start %s: %s\n", command[0], strerror(errno));
    _exit(errno == ENOENT ? 127 : 126);
}

/* From accepting a connection to the end of its process. */
static void attend(char **command, int connection) {
    sigset_t set;
    int out[2], errors[2], ended = hear((const int[]){SIGCHLD, SIGTERM, SIGINT, 0}, &set);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (pipe2(out, O_CLOEXEC) < 0 || pipe2(errors, O_CLOEXEC) < 0)
        fail("pipe");
    pid_t child = fork();
    if (child < 0)
        fail("fork");
    if (child == 0)
        become(command, connection, out[1], errors[1]);
    close(out[1]);
    close(errors[1]);
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    fcntl(errors[0], F_SETFL, O_NONBLOCK);

    enum { CONNECTION, OUT, ERRORS, ENDED };
    struct pollfd fds[] = {{connection, 0, 0}, {out[0], POLLIN, 0}, {errors[0], POLLIN, 0}, {ended, POLLIN, 0}};
    long long kill_at = 0;
    int status = 0, alive = 1, gone = 0, silent = 0;
    while (alive) {
        int waits = output_begin < output_end;
        fds[CONNECTION].fd = gone ? -1 : connection;
        fds[CONNECTION].events = waits ? POLLOUT : 0;
        fds[OUT].fd = silent || waits ? -1 : out[0];
        long long left = kill_at ? kill_at - now_ms() : -1;
        poll(fds, 4, kill_at && left < 0 ? 0 : (int)left);
        if (fds[OUT].fd >= 0 && fds[OUT].revents && is_end(take(out[0]))) {
            silent = 1;
            if (!kill_at)
                kill_at = now_ms() + LEAVE_MS;
        }
        if (output_begin < output_end)
            give(connection);
        if (fds[ERRORS].fd >= 0 && fds[ERRORS].revents && is_end(pass_on(errors[0])))
            fds[ERRORS].fd = -1;
        if (!gone && fds[CONNECTION].revents & (POLLHUP | POLLERR)) {
            gone = 1;
            kill(-child, SIGTERM);
            kill_at = now_ms() + LEAVE_MS;
        }
        if (kill_at && now_ms() >= kill_at) {
            kill(-child, SIGKILL);
            kill_at = now_ms() + LEAVE_MS;
            if (silent)
                silent = 2; /* killed for that */
        }
        if (fds[ENDED].revents) {
            struct signalfd_siginfo told;
            while (read(ended, &told, sizeof told) > 0)
                ;
            int found, found_status;
            while ((found = waitpid(-1, &found_status, WNOHANG)) > 0)
                if (found == child) {
                    status = found_status;
                    alive = 0;
                }
        }
    }
    kill(-child, SIGKILL); /* what is left of its group */
    /* What it said before; who has left the group, and holds the pipe, may talk for ever. */
    for (int pieces = 0; pieces < DRAINED; pieces++) {
        send_all(connection, output + output_begin, output_end - output_begin);
        if (take(out[0]) <= 0)
            break;
    }
    while (pass_on(errors[0]) > 0)
        ;
    char how[64];
    int size = silent > 1 ? snprintf(how, sizeof how, "\n%csilent 0\n", 0)
                          : snprintf(how, sizeof how, "\n%c%s %d\n", 0, WIFSIGNALED(status) ? "signal" : "exit",
                                     WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    send_all(connection, how, size);
    send_all(connection, tail, tail_size);
    _exit(0);
}

static int listen_at(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        fail(path);
    }
    strcpy(address.sun_path, path);
    unlink(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
        fail(path);
    /* Its two users need not be one; no other container has the directory. */
    if (chmod(path, 0666) < 0 || listen(fd, BACKLOG) < 0)
        fail(path);
    return fd;
}

int main(int count, char **words) {
    if (count < 4 || strcmp(words[2], "--") != 0) {
        fprintf(stderr, "usage: stdio-exec SOCKET -- COMMAND...\n");
        return 2;
    }
    sigset_t set;
    int told = hear((const int[]){SIGTERM, SIGINT, SIGCHLD, 0}, &set);
    int listening = listen_at(words[1]);
    struct pollfd fds[2] = {{listening, POLLIN, 0}, {told, POLLIN, 0}};
    for (;;) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            fail("poll");
        struct signalfd_siginfo signal;
        while (read(told, &signal, sizeof signal) > 0)
            if (signal.ssi_signo != SIGCHLD && fds[0].fd >= 0) {
                close(listening);
                unlink(words[1]);
                fds[0].fd = -1;
            }
        pid_t found;
        while ((found = waitpid(-1, NULL, WNOHANG)) > 0)
            ;
        if (fds[0].fd < 0) {
            if (found < 0 && errno == ECHILD)
                return 0;
            continue;
        }
        if (!fds[0].revents)
            continue;
        int connection = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
        if (connection < 0)
            continue;
        pid_t keeper = fork();
        if (keeper == 0) {
            close(listening);
            close(told);
            attend(words + 3, connection);
        }
        if (keeper < 0)
            fprintf(stderr, "stdio-exec: fork: %s\n", strerror(errno));
        close(connection);
    }
}
