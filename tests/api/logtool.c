/* parley-log as a program: every command, on logs that are whole, torn, damaged, or in use. */
#include "../support/client.h"
#include "../support/folder.h"
#include "../support/store_box.h"
#include "../support/test.h"

#include "store/record.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL}, NULL)
#define RUN_WITH(input, ...) run((const char *const[]){__VA_ARGS__, NULL}, input)

/* ---- running it ------------------------------------------------------------------------- */

/* What the last run printed, terminated. */
static char *out, *err;
static char dir[64];       /* of the test */
static const char *output; /* where standard output goes instead; NULL: to a file that is read */

/* A path in it; eight are valid at a time. */
static const char *path(const char *name)
{
    static char paths[8][256];
    static unsigned next;
    char *p = paths[next++ % 8];
    snprintf(p, sizeof paths[0], "%s/%s", dir, name);
    return p;
}

static char *load(const char *name, size_t *n)
{
    struct stat st;
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    char *text = malloc((size_t)st.st_size + 1);
    assert_non_null(text);
    assert_int_equal(read(fd, text, (size_t)st.st_size), st.st_size);
    close(fd);
    text[st.st_size] = 0;
    if (n)
        *n = (size_t)st.st_size;
    return text;
}

static void save(const char *name, const void *p, size_t n)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, p, n), (ssize_t)n);
    close(fd);
}

static void redirect(const char *name, int flags, int fd)
{
    int file = open(name, flags, 0600);
    if (file < 0 || dup2(file, fd) < 0)
        _exit(126);
}

/* Its exit status. Standard input is the file of that name, or empty. */
static int run(const char *const *arguments, const char *input)
{
    static char program[4096];
    char wrap[512];
    const char *argv[32], *wrapper = getenv("PARLEY_WRAP");
    size_t n = 0;
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 32);
    assert_true(length > 0);
    program[length] = 0;
    for (int i = 0; i < 3; i++)
        *strrchr(program, '/') = 0;
    strcat(program, "/parley-log");
    snprintf(wrap, sizeof wrap, "%s", wrapper ? wrapper : "");
    for (char *word = strtok(wrap, " "); word; word = strtok(NULL, " "))
        argv[n++] = word;
    argv[n++] = program;
    while (*arguments)
        argv[n++] = *arguments++;
    argv[n] = NULL;
    const char *out_name = path(".out"), *err_name = path(".err");
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        redirect(input ? input : "/dev/null", O_RDONLY, STDIN_FILENO);
        redirect(output ? output : out_name, O_WRONLY | O_CREAT | O_TRUNC, STDOUT_FILENO);
        redirect(err_name, O_WRONLY | O_CREAT | O_TRUNC, STDERR_FILENO);
        execvp(argv[0], (char **)argv);
        _exit(127);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    free(out);
    free(err);
    out = output ? strdup("") : load(out_name, NULL);
    err = load(err_name, NULL);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The run ended with this status and printed, on either channel, this text. */
static void check_run(int status, int expected, const char *text)
{
    if (status != expected || (!strstr(out, text) && !strstr(err, text)))
        fail_msg("exit status %d, expected %d and \"%s\"; it printed:\n%s%s", status, expected,
                 text, out, err);
}

static void check_same_file(const char *a, const char *b)
{
    size_t n, m;
    char *p = load(a, &n), *q = load(b, &m);
    assert_int_equal(n, m);
    assert_memory_equal(p, q, n);
    free(p);
    free(q);
}

static bool exists(const char *name)
{
    struct stat st;
    return lstat(name, &st) == 0;
}

static int prepare(void **state)
{
    (void)state;
    folder_make_path(dir);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    assert_int_equal(system(command), 0);
    free(out);
    free(err);
    out = err = NULL;
    return 0;
}

/* ---- logs ------------------------------------------------------------------------------- */

/* Ten messages in five segments; the box is closed and is the caller's to end. */
static void fill(struct box *b)
{
    static const char *const users[] = {"alice", "bob", "carol"};
    box_init(b);
    b->options.segment_size = 1300;
    box_open(b);
    for (int i = 0; i < 10; i++) {
        char text[16];
        snprintf(text, sizeof text, "m%d", i + 1);
        box_send(b, users[i % 3], users[(i + 1) % 3], text);
    }
    box_close(b);
}

static void flip(struct box *b, uint64_t first_id, size_t at)
{
    size_t n;
    uint8_t *p = box_load(b, box_segment(first_id), &n);
    assert_true(at < n);
    p[at] ^= 1;
    box_save(b, box_segment(first_id), p, n);
    free(p);
}

/* Repairs into the directory "copy" of the test, which must verify clean with so many messages. */
static void check_repair(struct box *b, int messages)
{
    char text[64];
    check_run(RUN("repair", b->path, path("copy")), 0, "copy: all that is whole in ");
    snprintf(text, sizeof text, "no damage; messages: %d,", messages);
    check_run(RUN("verify", path("copy")), 0, text);
    assert_string_equal(err, "");
    check_run(RUN("dump", path("copy")), 0, "");
}

static void a_whole_log_is_verified_counted_and_printed(void **state)
{
    (void)state;
    struct box b;
    fill(&b);
    check_run(RUN("verify", b.path), 0, "no damage; messages: 10, bytes: ");
    assert_string_equal(err, "");
    check_run(RUN("stats", b.path), 0, "messages       10\n");
    check_run(0, 0, "conversations  3\n");
    check_run(0, 0, "users          3\n");
    check_run(0, 0, "segments       5\n");
    check_run(0, 0, "first          id 1, 1970-01-01T00:00:01.000Z\n");
    check_run(0, 0, "last           id 10, 1970-01-01T00:00:01.000Z\n");
    check_run(RUN("dump", b.path), 0,
              "{\"id\":1,\"from\":\"alice\",\"to\":\"bob\",\"content\":\"m1\",\"date\":1000}\n"
              "{\"id\":2,\"from\":\"bob\",\"to\":\"carol\",\"content\":\"m2\",\"date\":1000}\n");
    box_fini(&b);
}

static void a_dump_is_filtered(void **state)
{
    (void)state;
    struct box b;
    fill(&b);
    check_run(RUN("dump", b.path, "--since", "9"), 0, "");
    assert_string_equal(out, "{\"id\":10,\"from\":\"alice\",\"to\":\"bob\",\"content\":\"m10\","
                             "\"date\":1000}\n");
    check_run(RUN("dump", "--user", "carol", b.path, "--since=6"), 0, "");
    assert_true(matches("{\"id\":8,*\n{\"id\":9,*\n", out));
    assert_null(strstr(out, "\"id\":7,"));
    assert_null(strstr(out, "\"id\":10,"));
    check_run(RUN("dump", b.path, "--user", "bob", "--with", "alice"), 0, "");
    assert_true(matches("{\"id\":1,*{\"id\":4,*{\"id\":7,*{\"id\":10,*", out));
    assert_null(strstr(out, "carol"));
    check_run(RUN("dump", b.path, "--user", "nobody"), 0, "");
    assert_string_equal(out, "");
    box_fini(&b);
}

static void a_torn_end_is_a_note_and_no_fault(void **state)
{
    (void)state;
    struct box b;
    size_t n;
    fill(&b);
    uint8_t *p = box_load(&b, box_segment(9), &n);
    box_save(&b, box_segment(9), p, n - 3);
    check_run(RUN("verify", b.path), 0, "a write was never finished: ");
    check_run(0, 0, "no damage; messages: 9,");
    check_run(RUN("backup", b.path, path("b")), 0, "messages: 9\n");
    check_run(RUN("verify", path("b")), 0, "no damage; messages: 9,");
    assert_string_equal(err, "");
    /* A segment that was begun and never used. */
    box_save(&b, box_segment(9), p, 10);
    check_run(RUN("verify", b.path), 0, "0000000000000009.seg: offset 0: it was begun and never");
    check_run(RUN("backup", b.path, path("c")), 0, "messages: 8\n");
    check_run(RUN("verify", path("c")), 0, "no damage; messages: 8,");
    assert_string_equal(err, "");
    box_save(&b, box_segment(9), p, n - 3);
    check_repair(&b, 9);
    free(p);
    box_fini(&b);
}

static void repair_saves_whole_messages_in_a_torn_end(void **state)
{
    (void)state;
    struct box b;
    box_init(&b);
    box_open(&b);
    box_put(&b, "alice", "bob", "one");
    box_put(&b, "alice", "bob", "two");
    box_commit(&b);
    box_close(&b);
    flip(&b, 1, SEGMENT_HEAD + RECORD_HEAD);
    check_run(RUN("verify", b.path), 0, "no damage; messages: 0,");
    check_repair(&b, 1);
    check_run(0, 0, "\"content\":\"two\"");
    box_fini(&b);
}

static void damage_is_told_with_file_and_offset_and_repaired(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        const char *told, *lost;
        int kept;
    } cases[] = {
        {20, "offset 0: this is not the head of a segment", NULL, 10},
        {64, "offset 64: a record was expected, and its check does not match",
         "between 4 and 6: up to 1 messages are lost", 9},
        {64 + 4, "offset 64: a record was expected", "between 4 and 6: up to 1 ", 9},
        {64 + 8, "and what stands there is no head of one", "between 4 and 6: up to 1 ", 9},
        {64 + 36, "offset 64: a record was expected", "between 4 and 6: up to 1 ", 9},
        {64 + 60, "; a later segment was begun after it", "between 4 and 6: up to 1 ", 9},
    };
    /* Under Valgrind, where each program takes a second to start, the first case and one in the middle. */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i += getenv("PARLEY_WRAP") ? 3 : 1) {
        struct box b;
        fill(&b);
        flip(&b, 5, cases[i].at);
        check_run(RUN("verify", b.path), 65, cases[i].told);
        check_run(65, 65, "0000000000000005.seg: offset ");
        check_run(65, 65, "damaged, 1 faults; parley-log repair DIR COPY saves");
        check_run(RUN("dump", b.path), 65, "\"content\":\"m10\"");
        check_run(RUN("backup", b.path, path("backup")), 65, "so no copy is made");
        assert_false(exists(path("backup")) || exists(path("backup.partial")));
        check_run(RUN("repair", b.path, path("copy")), 0, cases[i].lost ? cases[i].lost : "");
        assert_int_equal(cases[i].lost != NULL, strstr(out, " are lost") != NULL);
        finish(NULL);
        prepare(NULL);
        check_repair(&b, cases[i].kept);
        finish(NULL);
        prepare(NULL);
        box_fini(&b);
    }
}

static void missing_and_foreign_files_are_told(void **state)
{
    (void)state;
    struct box b;
    size_t n;
    fill(&b);
    uint8_t *p = box_load(&b, box_segment(3), &n);
    box_save(&b, box_segment(3), p, n - 1);
    check_run(RUN("verify", b.path), 65, "a later segment was begun after it");
    box_remove(&b, box_segment(3));
    check_run(RUN("verify", b.path), 65, "a segment is missing or cut short");
    check_run(RUN("repair", b.path, path("copy")), 0, "between 2 and 5: up to 2 messages are lost");
    check_run(RUN("verify", path("copy")), 0, "messages: 8,");
    p[8] = 2;
    box_save(&b, box_segment(3), p, n);
    check_run(RUN("verify", b.path), 65, "its format is version 2, and this program reads 1");
    p[60] ^= 1; /* no check of version 1 */
    box_save(&b, box_segment(3), p, n);
    check_run(RUN("verify", b.path), 65, "take the parley-log that belongs to it");
    assert_string_equal(out, "");
    check_run(RUN("repair", b.path, path("newer")), 65, "version 2, and this program reads 1");
    assert_false(exists(path("newer")));
    check_run(RUN("backup", b.path, path("newer")), 65, "version 2, and this program reads 1");
    assert_null(strstr(err, "damaged"));
    p[60] ^= 1;
    p[8] = 1;
    box_save(&b, box_segment(3), p, n);
    box_save(&b, "notes.seg", "x", 1);
    check_run(RUN("verify", b.path), 65, "notes.seg: this is no segment of the log");
    box_remove(&b, "notes.seg");
    box_save(&b, "notes.txt", "x", 1);
    check_run(RUN("verify", b.path), 0, "no damage");
    free(p);
    box_fini(&b);
}

static void ids_lost_at_the_end_are_not_given_again(void **state)
{
    (void)state;
    struct box b, copy;
    fill(&b);
    box_init(&copy);
    assert_int_equal(rmdir(copy.path), 0);
    /* Nothing tells where a last segment without a head stood but the one in front of it. */
    uint8_t rubbish[500];
    memset(rubbish, 0x55, sizeof rubbish);
    box_save(&b, box_segment(9), rubbish, sizeof rubbish);
    check_run(RUN("repair", b.path, copy.path), 0, "after 8: up to 5 messages are lost");
    box_open(&copy);
    assert_true(box_send(&copy, "alice", "bob", "next") > 1000000);
    box_fini(&copy);
    box_fini(&b);
}

static void ignore_mark(void *ctx, const struct store_mark *mark)
{
    (void)ctx;
    (void)mark;
}

static void keep_marks_and_keys(const char *command, bool arranged)
{
    struct box b, copy;
    struct store_read read;
    struct store_message m;
    uint64_t id;
    int64_t date;
    fill(&b);
    b.options.marked = ignore_mark;
    box_open(&b);
    assert_int_equal(store_append(b.store, SLICE("bob"), SLICE("alice"), SLICE("\"x\""),
                                  SLICE("key"), 1000, &id, &date),
                     0);
    box_commit(&b);
    assert_int_equal(store_mark(b.store, SLICE("alice"), SLICE("bob"), id, 1000, &id), 0);
    box_commit(&b);
    if (arranged)
        assert_int_equal(store_compact(b.store, NULL, NULL), 0);
    box_close(&b);
    box_init(&copy);
    assert_int_equal(rmdir(copy.path), 0);
    check_run(RUN("verify", b.path), 0, "no damage");
    check_run(RUN(command, b.path, copy.path), 0, "");
    check_run(RUN("verify", copy.path), 0, "no damage");
    check_run(RUN("stats", copy.path), 0, "read markers   1");
    box_open(&copy);
    assert_int_equal(store_read_snippets(copy.store, &read, SLICE("bob")), STORE_OK);
    assert_int_equal(store_read_next(copy.store, &read, &m), STORE_OK);
    assert_true(read.read_up_to + 1 == id && m.id + 1 == id);
    store_read_end(&read);
    assert_int_equal(store_append(copy.store, SLICE("bob"), SLICE("alice"), SLICE("\"x\""),
                                  SLICE("key"), 1000, &id, &date),
                     STORE_KNOWN);
    box_fini(&copy);
    box_fini(&b);
}

static void copies_keep_read_markers_and_keys(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        keep_marks_and_keys("backup", i);
        keep_marks_and_keys("repair", i);
    }
}

/* ---- with a server ---------------------------------------------------------------------- */

static void send_messages(struct client *c, int from, int to)
{
    for (int i = from; i < to; i++) {
        client_sendf(c,
                     "{\"event\":\"message\",\"data\":{\"to\":\"bob\",\"content\":\"n%d\"},\"ref\":"
                     "%d}",
                     i, i);
        client_expect(c, "*\"success\":true*");
    }
}

static void a_server_serves_what_was_repaired(void **state)
{
    (void)state;
    struct server server;
    struct box b;
    struct client c;
    fill(&b);
    flip(&b, 3, 100);
    server_prepare(&server);
    check_run(RUN("repair", b.path, server.data), 0, "messages: 9\n");
    server_start(&server, (const char *const[]){NULL});
    client_open_as(&c, &server, "alice");
    client_sendf(&c, "{\"event\":\"conversation\",\"data\":{\"id\":\"bob\"}}");
    client_expect(&c, "*\"content\":\"m1\"*\"content\":\"m4\"*\"content\":\"m7\"*\"content\":"
                      "\"m10\"*");
    client_sendf(&c, "{\"event\":\"conversation\",\"data\":{\"id\":\"carol\"}}");
    client_expect(&c, "*\"content\":\"m6\"*\"content\":\"m9\"*");
    assert_null(strstr(c.text, "m3"));
    send_messages(&c, 0, 1);
    client_close(&c);
    server_stop(&server);
    box_fini(&b);
}

/* A process that sends one message after the other until it is killed; it has begun already. */
static pid_t load_server(const struct server *server)
{
    int begun[2];
    assert_int_equal(pipe(begun), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct client c;
        client_open_as(&c, server, "carol");
        do
            client_sendf(&c, "{\"event\":\"message\",\"data\":{\"to\":\"bob\",\"content\":\"x\"}}");
        while (client_receive(&c) && write(begun[1], "x", 1) == 1);
        _exit(0);
    }
    char byte;
    assert_int_equal(read(begun[0], &byte, 1), 1);
    close(begun[0]);
    close(begun[1]);
    return pid;
}

static void a_backup_of_a_server_under_load_holds_all_that_was_acknowledged(void **state)
{
    (void)state;
    struct server server;
    struct client c;
    char content[32], copies[3][80];
    server_prepare(&server);
    server_start(&server, (const char *const[]){"--rate", "0", NULL});
    client_open_as(&c, &server, "alice");
    for (int round = 0; round < 3; round++) {
        send_messages(&c, round * 50, round * 50 + 50);
        snprintf(copies[round], sizeof copies[0], "%s/copy%d", dir, round);
        pid_t pid = load_server(&server);
        const char *copy = copies[round];
        check_run(RUN("verify", server.data), 0, "no damage");
        int status = RUN("backup", server.data, copy);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        check_run(status, 0, "complete and on the disk");
        check_run(RUN("verify", copy), 0, "no damage");
        assert_string_equal(err, "");
        check_run(RUN("dump", copy, "--user", "alice"), 0, "");
        for (int i = 0; i < round * 50 + 50; i++) {
            snprintf(content, sizeof content, "\"content\":\"n%d\"", i);
            if (!strstr(out, content))
                fail_msg("round %d: message %d was acknowledged and is missing", round, i);
        }
    }
    client_close(&c);
    server_stop(&server);
}

static void the_secret_is_copied_only_when_asked_for(void **state)
{
    (void)state;
    struct box b;
    struct stat st;
    char name[128];
    fill(&b);
    check_run(RUN("backup", b.path, path("none"), "--with-secret"), 64, "/secret: No such file");
    assert_false(exists(path("none")) || exists(path("none.partial")));
    snprintf(name, sizeof name, "%s/secret", b.path);
    save(name, "0123456789abcdef0123456789abcdef\n", 33);
    check_run(RUN("backup", b.path, path("without")), 0, "messages: 10\n");
    assert_false(exists(path("without/secret")));
    check_run(RUN("backup", "--with-secret", b.path, path("with/")), 0, "messages: 10\n");
    check_same_file(name, path("with/secret"));
    assert_int_equal(stat(path("with/secret"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    snprintf(name, sizeof name, "%s/%s", b.path, box_segment(5));
    check_same_file(name, path("with/0000000000000005.seg"));
    box_fini(&b);
}

/* ---- compact ---------------------------------------------------------------------------- */

/* What dump printed. */
static char *dumped(const char *log)
{
    check_run(RUN("dump", log), 0, "");
    return strdup(out);
}

static void a_compacted_log_says_the_same(void **state)
{
    (void)state;
    struct box b;
    fill(&b);
    char *before = dumped(b.path);
    check_run(RUN("compact", b.path), 0, "messages: 10, segments: 2 from 5, bytes: ");
    assert_true(box_exists(&b, box_segment(1)));
    assert_false(box_exists(&b, box_segment(3)));
    char *after = dumped(b.path);
    assert_string_equal(after, before);
    check_run(RUN("verify", b.path), 0, "no damage; messages: 10, ");
    check_run(RUN("stats", b.path), 0, "first          id 1, ");
    check_run(0, 0, "last           id 10, ");
    /* A copy of it is the same to the byte, and a repaired one says the same. */
    check_run(RUN("backup", b.path, path("copy")), 0, "messages: 10\n");
    char name[128];
    snprintf(name, sizeof name, "%s/%s", b.path, box_segment(1));
    check_same_file(name, path("copy/0000000000000001.seg"));
    check_run(RUN("repair", path("copy"), path("again")), 0, "messages: 10\n");
    free(after);
    after = dumped(path("again"));
    assert_string_equal(after, before);
    box_open(&b);
    check_run(RUN("compact", b.path), 66, "another process uses the data directory");
    assert_int_equal(box_send(&b, "alice", "bob", "next"), 11);
    box_close(&b);
    free(before);
    free(after);
    box_fini(&b);
}

static void what_is_whole_of_an_arranged_segment_is_saved(void **state)
{
    (void)state;
    struct box b;
    fill(&b);
    check_run(RUN("compact", b.path), 0, "messages: 10");
    flip(&b, 1, SEGMENT_HEAD + RECORD_HEAD);
    check_run(RUN("verify", b.path), 65, "1.seg: offset 64: a record was expected, and its check");
    check_repair(&b, 9);
    assert_non_null(strstr(out, "{\"id\":2,"));
    box_fini(&b);
    fill(&b);
    check_run(RUN("compact", b.path), 0, "messages: 10");
    size_t n;
    free(box_load(&b, box_segment(1), &n));
    flip(&b, 1, n - 10); /* in the list of its runs */
    check_run(RUN("verify", b.path), 65, "the list of its runs is not that of its records");
    assert_int_equal(rename(path("copy"), path("first")), 0);
    check_repair(&b, 10);
    box_fini(&b);
}

static void what_is_lost_of_an_arranged_segment_is_told_by_ids(void **state)
{
    (void)state;
    struct box b;
    size_t n;
    fill(&b);
    check_run(RUN("compact", b.path), 0, "messages: 10");
    char *p = (char *)box_load(&b, box_segment(1), &n);
    for (int id = 4; id <= 7; id += 3) { /* of one conversation: they lie side by side */
        char text[32];
        snprintf(text, sizeof text, "{\"id\":%d,", id);
        char *at = memmem(p, n, text, strlen(text));
        assert_non_null(at);
        at[20] ^= 1;
    }
    box_save(&b, box_segment(1), p, n);
    check_repair(&b, 8);
    check_run(RUN("repair", b.path, path("again")), 0,
              "between 3 and 5: up to 1 messages are lost\n"
              "between 6 and 8: up to 1 messages are lost\n");
    assert_null(strstr(out, "up to 0"));
    assert_null(strstr(err, "the message before it")); /* nor what follows from it */
    free(p);
    box_fini(&b);
}

static void an_id_that_an_arranged_segment_has_twice_is_damage(void **state)
{
    (void)state;
    struct box b;
    size_t n;
    struct record r;
    fill(&b);
    check_run(RUN("compact", b.path), 0, "messages: 10");
    uint8_t *p = box_load(&b, box_segment(1), &n);
    uint8_t *at = memmem(p, n, "{\"id\":4,", 8);
    assert_non_null(at);
    at[6] = '3'; /* as in another conversation */
    at -= RECORD_HEAD;
    assert_true(record_read(&r, at));
    r.id = 3;
    record_seal(&r, at, (uint64_t)(at - p));
    box_save(&b, box_segment(1), p, n);
    check_run(RUN("repair", b.path, path("copy")), 0, "messages: ");
    check_run(0, 0, "id 3 is there twice");
    check_run(RUN("dump", path("copy")), 0, "{\"id\":3,");
    assert_int_equal(RUN("dump", b.path), 65);
    free(p);
    box_fini(&b);
}

static void a_log_whose_begin_was_dropped_is_read_and_copied(void **state)
{
    (void)state;
    struct box b;
    fill(&b);
    b.options.retain_bytes = 64 * 1300;
    b.options.segment_size = 0;
    b.options.inline_commit = true;
    box_open(&b);
    for (int i = 0; i < 1000; i++)
        box_send(&b, "alice", i % 2 ? "bob" : "dave", "text");
    box_close(&b);
    assert_false(box_exists(&b, box_segment(1)));
    check_run(RUN("verify", b.path), 0, "no damage; messages: ");
    char *before = dumped(b.path);
    check_run(RUN("backup", b.path, path("copy")), 0, "complete");
    check_run(RUN("verify", path("copy")), 0, "no damage; messages: ");
    char *after = dumped(path("copy"));
    assert_string_equal(after, before);
    check_run(RUN("compact", path("copy")), 0, "segments: 2 from ");
    free(after);
    after = dumped(path("copy"));
    assert_string_equal(after, before);
    assert_int_equal(unlink(path("copy/begin")), 0);
    check_run(RUN("verify", path("copy")), 65, "a segment is missing");
    free(before);
    free(after);
    box_fini(&b);
}

/* ---- import ----------------------------------------------------------------------------- */

static const char weird[] =
    "{\"id\":3,\"from\":\"a\\\"\\\\\",\"to\":\"\\u00e9 "
    "\\ud83d\\ude00\",\"content\":\"\",\"date\":0}\n"
    "{\"id\":4,\"from\":\"\xc3\xa9 \xf0\x9f\x98\x80\",\"to\":\"a\\\"\\\\\",\"content\":"
    "\"\\ud800 \\u0000 \\n / \\/ \xe2\x80\xa8 <script>\",\"date\":0}\n"
    "{\"id\":9007199254740990,\"from\":\"z\",\"to\":\"z\",\"content\":\"\xf4\x8f\xbf\xbf\","
    "\"date\":9007199254740991}\n";

static void dump_and_import_give_the_same_bytes(void **state)
{
    (void)state;
    size_t n = sizeof weird - 1, big = (1 << 20) - 2;
    char *text = malloc(n + big + 200);
    assert_non_null(text);
    n = (size_t)sprintf(text, "{\"id\":1,\"from\":\"a\",\"to\":\"b\",\"content\":\"");
    memset(text + n, 'x', big);
    n += big;
    n += (size_t)sprintf(text + n, "\",\"date\":0}\n%s", weird);
    save(path("in"), text, n);
    free(text);
    check_run(RUN("import", path("data"), path("in")), 0,
              "/data: complete and on the disk; messages: 4");
    check_run(RUN("verify", path("data")), 0, "no damage; messages: 4,");
    check_run(RUN("dump", path("data")), 0, "");
    save(path("again"), out, strlen(out));
    check_same_file(path("in"), path("again"));
    assert_int_equal(mkdir(path("empty"), 0700), 0);
    check_run(RUN_WITH(path("again"), "import", path("empty")), 0, "messages: 4");
    check_run(RUN("dump", path("empty")), 0, "");
    save(path("again"), out, strlen(out));
    check_same_file(path("in"), path("again"));
    /* Two spellings of one name are one user. */
    check_run(RUN("dump", path("data"), "--user", "\xc3\xa9 \xf0\x9f\x98\x80"), 0, "{\"id\":3,");
    check_run(0, 0, "{\"id\":4,");
    check_run(RUN("stats", path("data")), 0, "conversations  3\n");
    /* Nothing is a log, too. */
    check_run(RUN("import", path("nothing")), 0, "messages: 0");
    check_run(RUN("verify", path("nothing")), 0, "no damage; messages: 0,");
    check_run(RUN("stats", path("nothing")), 0, "messages       0\n");
}

static void a_wrong_line_is_named_with_what_would_be_right(void **state)
{
    (void)state;
#define GOOD "{\"id\":7,\"from\":\"a\",\"to\":\"b\",\"content\":\"c\",\"date\":5}\n"
    static const struct {
        const char *text, *told;
    } cases[] = {
        {GOOD GOOD, ":2:1: id 7 comes after id 7; expected one that is greater"},
        {GOOD "{\"id\":8,\"from\":\"a\",\"to\":\"b\",\"content\":\"c\",\"date\":4}\n",
         ":2:1: date 4 comes after date 5; expected one that is not before it"},
        {GOOD "\n", ":2:1: "},
        {GOOD "{\"id\":8,\"from\":\"a\",\"to\":\"b\",\"content\":\"c\"", ":2:"},
        {GOOD "{\"id\":8,\"from\":\"a\",\"to\":\"b\",\"content\":7,\"date\":5}\n", "\"content\" "
                                                                                   "must be a "
                                                                                   "string; found "
                                                                                   "\""},
        {GOOD "{\"id\":8, \"from\":\"a\",\"to\":\"b\",\"content\":\"\",\"date\":5}\n", "there must "
                                                                                       "be no "
                                                                                       "white "
                                                                                       "space"},
        {GOOD "{\"id\":8,\"from\":\"\x1b[1m\",\"to\":\"b\",\"content\":\"\",\"date\":5}\n", "\\x1"
                                                                                            "b"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        save(path("in"), cases[i].text, strlen(cases[i].text));
        check_run(RUN("import", path("data"), path("in")), 65, cases[i].told);
        check_run(65, 65, "/in:2:");
        assert_false(exists(path("data")) || exists(path("data.partial")));
    }
    char *text = malloc(3 << 20);
    assert_non_null(text);
    memset(text, 'x', 3 << 20);
    save(path("in"), text, 3 << 20);
    free(text);
    check_run(RUN("import", path("data"), path("in")), 65, "the line is over ");
}

/* ---- usage ------------------------------------------------------------------------------ */

static void wrong_usage_ends_with_64(void **state)
{
    (void)state;
    struct box b;
    fill(&b);
    check_run(RUN("compress", b.path), 64,
              "there is no command \"compress\"; take one of verify dump stats repair backup "
              "compact import");
    check_run(run((const char *const[]){NULL}, NULL), 64, "a command is missing");
    check_run(RUN("verify"), 64, "expected: parley-log verify DIR");
    check_run(RUN("verify", b.path, b.path), 64, "expected: parley-log verify DIR");
    check_run(RUN("repair", b.path), 64, "expected: parley-log repair DIR COPY");
    check_run(RUN("verify", "--nope", b.path), 64, "there is no option --nope");
    check_run(RUN("verify", b.path, "--user", "x"), 64, "belong to dump");
    check_run(RUN("dump", b.path, "--with", "x"), 64, "--with needs --user");
    check_run(RUN("dump", b.path, "--since", "1x"), 64, "a whole number");
    check_run(RUN("dump", b.path, "--with-secret"), 64, "belongs to backup");
    check_run(RUN("verify", "/nonexistent"), 64, "expected a data directory");
    check_run(RUN("verify", dir), 64, "there is no log here");
    check_run(RUN("backup", b.path, b.path), 64, "it exists already");
    check_run(RUN("repair", b.path, "/nonexistent/copy"), 71, "cannot create /nonexistent/copy");
    check_run(RUN("import", b.path), 64, "it exists already");
    check_run(RUN("import", path("new"), "/nonexistent"), 64, "/nonexistent: No such file");
    assert_int_equal(mkdir(path("copy.partial"), 0700), 0);
    check_run(RUN("backup", b.path, path("copy")), 64, "from a copy that was not finished");
    check_run(RUN("--help"), 0, "parley-log repair DIR COPY");
    assert_int_equal(RUN("--version"), 0);
    assert_true(matches("parley-log *.*.*\n", out));
    box_fini(&b);
}

static void what_cannot_be_written_ends_with_74(void **state)
{
    (void)state;
    struct box b;
    fill(&b);
    output = "/dev/full";
    check_run(RUN("dump", b.path), 74, "cannot write standard output: No space left on device");
    output = NULL;
    box_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, prepare, finish)
        TEST(a_whole_log_is_verified_counted_and_printed),
        TEST(a_dump_is_filtered),
        TEST(a_torn_end_is_a_note_and_no_fault),
        TEST(repair_saves_whole_messages_in_a_torn_end),
        TEST(damage_is_told_with_file_and_offset_and_repaired),
        TEST(missing_and_foreign_files_are_told),
        TEST(ids_lost_at_the_end_are_not_given_again),
        TEST(copies_keep_read_markers_and_keys),
        TEST(a_server_serves_what_was_repaired),
        TEST(a_backup_of_a_server_under_load_holds_all_that_was_acknowledged),
        TEST(the_secret_is_copied_only_when_asked_for),
        TEST(a_compacted_log_says_the_same),
        TEST(what_is_whole_of_an_arranged_segment_is_saved),
        TEST(what_is_lost_of_an_arranged_segment_is_told_by_ids),
        TEST(an_id_that_an_arranged_segment_has_twice_is_damage),
        TEST(a_log_whose_begin_was_dropped_is_read_and_copied),
        TEST(dump_and_import_give_the_same_bytes),
        TEST(a_wrong_line_is_named_with_what_would_be_right),
        TEST(wrong_usage_ends_with_64),
        TEST(what_cannot_be_written_ends_with_74),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
