// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's init: makes the host's file tree the root, loads the modules
 * under test, runs one command, unloads the modules and looks for what they
 * leaked. selftests/vm/run talks to it through the run directory:
 *
 *	arguments	the command, each word ended by a NUL; none: a shell
 *	environment	its environment, likewise
 *	directory	where to run it
 *	modules		the modules to load, a path a line
 *	timeout		seconds it may take
 *	failures	written here: why the run failed whatever the command says
 *	status		written here: the command's exit status, or "timeout"
 *
 * The kernel log goes to the first serial port, the command's to the second.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "init.h"

#define TERMINAL "/dev/ttyS1"
#define MAX_WORDS 4096

/* Until the run directory is mounted, failures go to the kernel log. */
void fail(const char *format, ...)
{
	FILE *file = fopen(RUN_DIR "/failures", "a");
	va_list args;

	if (!file)
		file = fopen("/dev/kmsg", "w");
	if (!file)
		return;
	va_start(args, format);
	vfprintf(file, format, args);
	va_end(args);
	fputc('\n', file);
	fclose(file);
}

bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	ssize_t length = strlen(text);
	bool ok;

	if (fd < 0)
		return false;
	ok = write(fd, text, length) == length;
	close(fd);
	return ok;
}

/* A NUL follows what is read. NULL if there is no such file. */
char *read_file(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t length = 0, space = 65536;
	char *data;
	ssize_t n;

	if (fd < 0)
		return NULL;
	data = malloc(space);
	while (data && (n = read(fd, data + length, space - length - 1)) > 0) {
		length += n;
		if (space - length < 4096)
			data = realloc(data, space *= 2);
	}
	close(fd);
	if (data)
		data[length] = '\0';
	if (size)
		*size = length;
	return data;
}

/* Words ended by NULs to a vector. */
static char **words(const char *path)
{
	static char *none[1];
	size_t size, count = 0;
	char *data = read_file(path, &size);
	char **list = calloc(MAX_WORDS + 1, sizeof(*list));

	if (!data || !list)
		return none;
	for (char *word = data; word < data + size && count < MAX_WORDS; word += strlen(word) + 1)
		list[count++] = word;
	return list;
}

static int size_from(const char *name, int otherwise)
{
	const char *text = getenv(name);
	int size = text ? atoi(text) : 0;

	return size > 0 ? size : otherwise;
}

/* What the command writes leaves as it is: no CR is added, no byte changed. */
static int open_terminal(bool interactive)
{
	int fd = open(TERMINAL, O_RDWR | O_NOCTTY);
	struct winsize window = { 0 };
	struct termios mode;

	if (fd < 0 || tcgetattr(fd, &mode)) {
		fail("cannot open %s: %s", TERMINAL, strerror(errno));
		return -1;
	}
	if (interactive) {
		window.ws_row = size_from("LINES", 24);
		window.ws_col = size_from("COLUMNS", 80);
		ioctl(fd, TIOCSWINSZ, &window);
	} else {
		cfmakeraw(&mode);
	}
	mode.c_cflag |= CLOCAL;
	cfsetspeed(&mode, B115200);
	tcsetattr(fd, TCSANOW, &mode);
	return fd;
}

static void become_command(int terminal, bool interactive, char **arguments)
{
	sigset_t none;
	int input = terminal;
	char *directory;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	if (interactive)
		ioctl(terminal, TIOCSCTTY, 0);
	else
		input = open("/dev/null", O_RDONLY);
	dup2(input, 0);
	dup2(terminal, 1);
	dup2(terminal, 2);
	directory = read_file(RUN_DIR "/directory", NULL);
	if (directory && chdir(directory)) {
		fprintf(stderr, "%s: %s\n", directory, strerror(errno));
		_exit(126);
	}
	execvp(arguments[0], arguments);
	fprintf(stderr, "%s: %s\n", arguments[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* Reaps all that ends until @pid does. Returns its exit status, or -1 on timeout. */
static int wait_for(pid_t pid, time_t seconds)
{
	struct timespec now, end;
	sigset_t child;
	int status;
	pid_t ended;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += seconds;
	for (;;) {
		while ((ended = waitpid(-1, &status, WNOHANG)) > 0) {
			if (ended != pid)
				continue;
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		}
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec >= end.tv_sec)
			return -1;
		sigtimedwait(&child, NULL, &(struct timespec){ .tv_sec = 1 });
	}
}

/* What the command left running; what hangs in the kernel cannot be killed. */
static void kill_all(void)
{
	kill(-1, SIGKILL);
	for (int tries = 0; tries < 200; tries++) {
		pid_t ended = waitpid(-1, NULL, WNOHANG);

		if (ended < 0)
			return;
		if (!ended)
			usleep(100 * 1000);
	}
	fail("there are processes that cannot be killed");
}

/* Sets the environment before the terminal's size is asked for. */
static void set_environment(void)
{
	char **list = words(RUN_DIR "/environment");

	clearenv();
	for (; *list; list++)
		putenv(*list);
}

static void run_command(void)
{
	char **arguments = words(RUN_DIR "/arguments");
	char *shell[] = { "/bin/bash", NULL };
	bool interactive = !arguments[0];
	char *timeout = read_file(RUN_DIR "/timeout", NULL);
	int terminal, status;
	char text[16];
	pid_t pid;

	set_environment();
	terminal = open_terminal(interactive);
	if (terminal < 0)
		return;
	pid = fork();
	if (!pid)
		become_command(terminal, interactive, interactive ? shell : arguments);
	status = wait_for(pid, timeout && *timeout ? atol(timeout) : 600);
	if (status < 0) {	/* who is stuck, and what each processor does */
		write_file("/proc/sysrq-trigger", "w");
		write_file("/proc/sysrq-trigger", "l");
	}
	kill_all();
	tcdrain(terminal);
	close(terminal);
	snprintf(text, sizeof(text), "%d", status);
	write_file(RUN_DIR "/status", status < 0 ? "timeout" : text);
}

/* A dump of the stack for each failure injected would look like a report. */
static void quiet_fault_injection(void)
{
	static const char *const names[] = { "failslab", "fail_page_alloc", "fail_usercopy" };
	char path[64];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/verbose", names[i]);
		if (!access(path, F_OK))
			write_file(path, "0");
	}
}

/* It is off until somebody wants it, so that the kernel boots in less time. */
static void look_for_data_races(void)
{
	static const char path[] = "/sys/kernel/debug/kcsan";

	if (!access(path, F_OK) && !write_file(path, "on"))
		fail("KCSAN cannot be turned on");
}

static void run(void)
{
	char *modules;

	if (!mount_all())
		return;
	sethostname("shmzone", 7);
	quiet_fault_injection();
	look_for_data_races();
	/* The host looks for reports in the log from here on; "quiet" must not hide it. */
	write_file("/dev/kmsg", "<1>shmzone-vm: begin\n");
	kmemleak_start();
	modules = read_file(RUN_DIR "/modules", NULL);
	if (!modules || load_modules(modules))
		run_command();
	if (unload_modules())
		kmemleak_report();
	write_file("/dev/kmsg", "<1>shmzone-vm: end\n");
}

int main(void)
{
	/* Asked before the command's environment replaces ours. */
	bool user_mode = getenv("shmzone_run");
	sigset_t child;

	/* Blocked, so that waiting for it misses none. */
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);

	mkdir("/dev", 0755);
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);

	run();

	umount2(RUN_DIR, MNT_DETACH);
	umount2(OUT_DIR, MNT_DETACH);
	sync();
	/* The machine emulator ends on a restart; user-mode Linux would restart. */
	reboot(user_mode ? RB_POWER_OFF : RB_AUTOBOOT);
	return 1;
}
