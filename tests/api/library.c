/* libparley.a as other programs get it: what it takes from them, in C and in C++, and the example. */
#include "../support/client.h"
#include "../support/folder.h"
#include "../support/program.h"
#include "../support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char build[512], source[512]; /* build/VARIANT, and the folder above build/ */

static bool is_variant(const char *name)
{
    return strcmp(strrchr(build, '/') + 1, name) == 0;
}

static bool has_tool(const char *name)
{
    char command[128];
    snprintf(command, sizeof command, "command -v %s >/dev/null", name);
    if (system(command) == 0)
        return true;
    print_message("skipped: %s is not installed\n", name);
    return false;
}

static bool is_listed(const char *word, const char *const *list)
{
    for (; *list; list++)
        if (matches(*list, word))
            return true;
    return false;
}

/* Calls `each` with what nm says of every symbol: its name, the letter of its type, its section. */
static void read_symbols(void (*each)(const char *name, char type, const char *section))
{
    char command[600], line[512];
    unsigned n = 0;
    snprintf(command, sizeof command, "nm --format=sysv %s/lib/libparley.a", build);
    FILE *f = popen(command, "re");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        char name[128], type, section[128] = "";
        /* Name | Value | Class | Type | Size | Line | Section */
        if (sscanf(line, "%127[^ |] |%*[^|]| %c |%*[^|]|%*[^|]|%*[^|]|%127s", name, &type,
                   section) >= 2) {
            each(name, type, section);
            n++;
        }
    }
    assert_int_equal(pclose(f), 0);
    assert_true(n > 500);
}

/* ---- what is in it ----------------------------------------------------------------------- */

static unsigned faults, hosts_names;

static void check_call(const char *name, char type, const char *section)
{
    /* What ends a process or changes what all of it shares. An invariant that does not hold ends it by
       __assert_fail: parley.h. Signals are masked for the library's own threads alone, and put back. */
    static const char *const never[] = {
        "exit",  "_exit",  "_Exit",     "quick_exit", "abort",        "atexit",
        "raise", "kill",   "signal",    "sigaction",  "signalfd",     "sigprocmask",
        "alarm", "fork",   "vfork",     "exec*",      "posix_spawn*", "system",
        "popen", "prctl",  "set*id",    "setrlimit*", "*setgroups",   "cap*",
        "chdir", "umask",  "setenv",    "putenv",     "setlocale",    "srand",
        "rand",  "strtok", "localtime", "gmtime",     "malloc_trim",  NULL};
    (void)section;
    if (type == 'U' && is_listed(name, never)) {
        print_error("it calls %s\n", name);
        faults++;
    }
}

static void check_name(const char *name, char type, const char *section)
{
    (void)section;
    if (!strchr("TDBRCVWSGi", type))
        return;
    hosts_names++;
    if (strncmp(name, "parley_", 7) != 0) {
        print_error("%s can be seen from outside\n", name);
        faults++;
    }
}

/* Constants that hold pointers lie in .data.rel.ro, which is written by the loader alone. */
static void check_variable(const char *name, char type, const char *section)
{
    static const char *const known[] = {
        "crc32c_known", /* what the processor has, the same for everybody */
        "zeros",        /* never written: in .bss since they take no room in a file there */
        NULL};
    bool writable = strchr("dDbBcCsSgG", type) && strncmp(section, ".data.rel.ro", 12) != 0;
    if (writable && *section == '.' && strcmp(name, section) != 0 && !is_listed(name, known)) {
        print_error("%s is a variable, in %s\n", name, section);
        faults++;
    }
}

static void check_all(void (*each)(const char *, char, const char *))
{
    if (!has_tool("nm"))
        skip();
    if (!is_variant("release") && !is_variant("musl")) {
        print_message("skipped: this build is for another machine, or has its instruments in it\n");
        skip();
    }
    faults = 0;
    read_symbols(each);
    assert_int_equal(faults, 0);
}

static void it_leaves_the_process_alone(void **state)
{
    (void)state;
    check_all(check_call);
}

static void it_has_no_variables(void **state)
{
    (void)state;
    check_all(check_variable);
}

static void it_shows_no_names_but_its_own(void **state)
{
    (void)state;
    hosts_names = 0;
    check_all(check_name);
    assert_int_equal(hosts_names, 9);
}

/* ---- who uses it ------------------------------------------------------------------------- */

static void the_example_is_short_and_does_what_it_says(void **state)
{
    struct program p;
    struct client c;
    char folder[64], path[600];
    (void)state;
    unsigned lines = 0;
    snprintf(path, sizeof path, "%s/tools/embed-example.c", source);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    for (int ch; (ch = fgetc(f)) != EOF;)
        lines += ch == '\n';
    fclose(f);
    assert_true(lines < 80);

    folder_make_path(folder);
    program_start(&p, "embed-example", (const char *const[]){"127.0.0.1:0", folder, NULL});
    const char *line = program_error_line(&p);
    assert_true(matches("listening on 127.0.0.1:*", line));
    uint16_t port = (uint16_t)atoi(strrchr(line, ':') + 1);
    client_open(&c, port);
    client_send(&c, "{\"event\":\"registerMessages\",\"data\":{\"token\":\"open sesame\"}}");
    client_expect(&c, "*\"bad_token\"*");
    client_send(&c, "{\"event\":\"registerMessages\",\"data\":{\"token\":\"let alice in\"}}");
    client_expect(&c, "*\"OK\"*\"user\":\"alice\"*");
    client_send(&c, "{\"event\":\"message\",\"data\":{\"to\":\"echo\",\"content\":\"spam\"}}");
    client_expect(&c, "*nobody says spam here*\"code\":\"refused\"*");
    client_send(&c, "{\"event\":\"message\",\"data\":{\"to\":\"echo\",\"content\":\"hi\"}}");
    client_expect(&c, "*{\"success\":true}*");
    client_expect(&c, "*\"from\":\"echo\",\"to\":\"alice\",\"content\":\"hi\"*");
    struct client web;
    assert_true(matches("HTTP/1.1 200 *\r\n\r\n1\n",
                        client_http(&web, port, "GET /said HTTP/1.1\r\nHost: x\r\n\r\n")));
    client_close(&web);
    program_end_input(&p);
    assert_int_equal(program_wait(&p), 0);
    client_close(&c);
    program_free(&p);
    folder_remove_path(folder);
}

static const char cpp[] = "#include <parley.h>\n"
                          "#include <cstdio>\n"
                          "static void committed(void *ctx, const parley_message *m) { "
                          "*static_cast<std::size_t *>(ctx) += m->content.n; }\n"
                          "int main(int, char **argv) {\n"
                          "    std::size_t heard = 0;\n"
                          "    parley_error error;\n"
                          "    parley_options options = parley_options();\n"
                          "    options.settings = argv[1];\n"
                          "    options.ctx = &heard;\n"
                          "    options.committed = committed;\n"
                          "    parley *p = parley_open(&options, &error);\n"
                          "    if (!p) return std::fprintf(stderr, \"%s\\n\", error.text), 1;\n"
                          "    parley_text none = {0, 0};\n"
                          "    if (parley_send(p, parley_string(\"a\"), parley_string(\"b\"), "
                          "parley_string(\"four\"), none, 0, 0)) return 2;\n"
                          "    while (heard == 0) if (parley_run_once(p, -1) < 0) return 3;\n"
                          "    return parley_close(p) || heard != 4;\n"
                          "}\n";

static void a_program_in_cpp_can_be_a_host(void **state)
{
    char folder[64], command[2048];
    (void)state;
    if (!has_tool("g++"))
        skip();
    folder_make_path(folder);
    snprintf(command, sizeof command, "%s/host.cpp", folder);
    FILE *f = fopen(command, "we");
    assert_non_null(f);
    fputs(cpp, f);
    fclose(f);
    /* Those of other machines and of the sanitizers would have to be linked as they are. */
    bool links = is_variant("release");
    snprintf(command, sizeof command,
             "cd %s && g++ -std=c++11 -Wall -Wextra -Wpedantic -Werror -I %s/src %s host.cpp "
             "%s%s%s",
             folder, source, links ? "-o host" : "-fsyntax-only", links ? build : "",
             links ? "/lib/libparley.a -pthread" : "",
             links ? " && ./host 'listen = 127.0.0.1:0'" : "");
    assert_int_equal(system(command), 0);
    folder_remove_path(folder);
}

#define TEST(name) cmocka_unit_test(name)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(it_leaves_the_process_alone),    TEST(it_has_no_variables),
        TEST(it_shows_no_names_but_its_own),  TEST(the_example_is_short_and_does_what_it_says),
        TEST(a_program_in_cpp_can_be_a_host),
    };
    (void)argc;
    program_init(argv[0]);
    ssize_t n = readlink("/proc/self/exe", build, sizeof build - 1);
    assert_true(n > 0);
    for (int i = 0; i < 3; i++) /* tests/api/library */
        *strrchr(build, '/') = 0;
    strcpy(source, build);
    for (int i = 0; i < 2; i++)
        *strrchr(source, '/') = 0;
    return cmocka_run_group_tests_name("library", tests, NULL, NULL);
}
