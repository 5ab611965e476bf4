/* args: values from the command line and from a file, and what is said of those that are wrong. */
#include "base/args.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct values {
    bool flag;
    uint32_t number;
    const char *text;
    struct arg_list list;
    struct arg rows[6];
    struct args_error error;
};

static void begin(struct values *v)
{
    *v = (struct values){.number = 5, .text = "default"};
    struct arg rows[] = {
        {"flag", ARG_FLAG, &v->flag, 0, 0, NULL, "turns it on", false},
        {"number", ARG_NUMBER, &v->number, 3, 4000000000u, "N", "how many", false},
        {"text", ARG_TEXT, &v->text, 0, 0, "TEXT", "what it says", false},
        {"list", ARG_LIST, &v->list, 0, 0, "ITEM", "one of them", false},
        {0},
    };
    memcpy(v->rows, rows, sizeof rows);
}

#define ARGV_MAX 40

/* The words behind the program's name, blanks between them. */
static int parse(struct values *v, const char *words)
{
    static char line[1024];
    char *argv[ARGV_MAX] = {(char *)(uintptr_t) "test"};
    int argc = 1;
    snprintf(line, sizeof line, "%s", words);
    for (char *word = strtok(line, " "); word; word = strtok(NULL, " ")) {
        assert_true(argc < ARGV_MAX - 1);
        argv[argc++] = word;
    }
    return args_parse(v->rows, argc, argv, &v->error);
}

static int parse_file(struct values *v, const char *text)
{
    static char copy[4096];
    snprintf(copy, sizeof copy, "%s", text);
    return args_parse_file(v->rows, copy, &v->error);
}

static void each_kind_takes_its_value_in_both_forms(void **state)
{
    (void)state;
    struct values v;
    begin(&v);
    assert_int_equal(parse(&v, "--flag --number 7 --text=a=b --list x --list=y rest"), 8);
    assert_true(v.flag);
    assert_int_equal(v.number, 7);
    assert_string_equal(v.text, "a=b");
    assert_int_equal(v.list.n, 2);
    assert_string_equal(v.list.items[0], "x");
    assert_string_equal(v.list.items[1], "y");
    begin(&v);
    assert_int_equal(parse(&v, "--flag=yes --number=3"), 3);
    assert_true(v.flag);
    assert_int_equal(v.number, 3);
    begin(&v);
    assert_int_equal(parse(&v, "--flag --flag=no --number=4000000000 --number=4"), 5);
    assert_false(v.flag); /* the later wins */
    assert_int_equal(v.number, 4);
}

static void the_first_argument_that_is_no_option_ends_them(void **state)
{
    (void)state;
    struct values v;
    begin(&v);
    assert_int_equal(parse(&v, ""), 1);
    assert_int_equal(parse(&v, "word --flag"), 1);
    assert_false(v.flag);
    assert_int_equal(parse(&v, "--flag - x"), 2);
    begin(&v);
    assert_int_equal(parse(&v, "-- --flag"), 2);
    assert_false(v.flag);
    assert_string_equal(v.text, "default");
}

static void what_is_wrong_on_the_command_line_is_named_with_what_is_right(void **state)
{
    (void)state;
    static const struct {
        const char *words, *error;
    } cases[] = {
        {"--nothing", "there is no option --nothing; see --help"},
        {"--fla", "there is no option --fla; see --help"},
        {"--flags", "there is no option --flags; see --help"},
        {"--=x", "there is no option --=x; see --help"},
        {"-f", "there is no option -f; see --help"},
        {"--flag -x", "there is no option -x; see --help"},
        {"--flag=1", "flag: \"1\" is neither yes nor no"},
        {"--flag=", "flag: \"\" is neither yes nor no"},
        {"--number", "--number needs a value, N"},
        {"--number=", "number: \"\" is not a whole number from 3 to 4000000000"},
        {"--number=2", "number: \"2\" is not a whole number from 3 to 4000000000"},
        {"--number=4000000001", "number: \"4000000001\" is not a whole number from 3 to "
                                "4000000000"},
        {"--number=4294967301", /* 5, if it were taken modulo 2^32 */
         "number: \"4294967301\" is not a whole number from 3 to 4000000000"},
        {"--number=18446744073709551621", /* 5, modulo 2^64 */
         "number: \"18446744073709551621\" is not a whole number from 3 to 4000000000"},
        {"--number=-5", "number: \"-5\" is not a whole number from 3 to 4000000000"},
        {"--number=+5", "number: \"+5\" is not a whole number from 3 to 4000000000"},
        {"--number=5k", "number: \"5k\" is not a whole number from 3 to 4000000000"},
        {"--number=0x5", "number: \"0x5\" is not a whole number from 3 to 4000000000"},
        {"--text", "--text needs a value, TEXT"},
        {"--text=", "text: the value is empty; expected TEXT"},
        {"--list", "--list needs a value, ITEM"},
        {"--list=", "list: the value is empty; expected ITEM"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct values v;
        begin(&v);
        assert_int_equal(parse(&v, cases[i].words), -1);
        assert_string_equal(v.error.text, cases[i].error);
    }
}

static void a_list_takes_16_items(void **state)
{
    (void)state;
    struct values v;
    begin(&v);
    char words[400] = "";
    for (int i = 0; i < 16; i++)
        strcat(words, "--list=x ");
    assert_int_equal(parse(&v, words), 17);
    assert_int_equal(v.list.n, 16);
    begin(&v);
    strcat(words, "--list=y");
    assert_int_equal(parse(&v, words), -1);
    assert_string_equal(v.error.text, "list: given more than 16 times");
    assert_int_equal(v.list.n, 16);
}

static void long_and_foreign_values_are_cut_in_the_error(void **state)
{
    (void)state;
    struct values v;
    char words[1000];
    begin(&v);
    memset(words, 'x', sizeof words);
    memcpy(words, "--", 2);
    words[900] = 0;
    assert_int_equal(parse(&v, words), -1);
    assert_true(strlen(v.error.text) < 120);
    memcpy(words, "--number=", 9);
    assert_int_equal(parse(&v, words), -1);
    assert_true(strlen(v.error.text) < 120);
    words[0] = ' ';
    words[1] = '=';
    assert_int_equal(parse_file(&v, words), -1);
    assert_true(strlen(v.error.text) < sizeof v.error.text - 1);
}

static void a_file_gives_the_same_options(void **state)
{
    (void)state;
    struct values v;
    begin(&v);
    assert_int_equal(parse_file(&v, "# a comment\n"
                                    "\n"
                                    "  flag = yes\r\n"
                                    "\tnumber=9\n"
                                    " \t # another\n"
                                    "text =  two words # not a comment \n"
                                    "list = x\n"
                                    "list\t=\ty=z"),
                     0);
    assert_true(v.flag);
    assert_int_equal(v.number, 9);
    assert_string_equal(v.text, "two words # not a comment");
    assert_int_equal(v.list.n, 2);
    assert_string_equal(v.list.items[1], "y=z");
    begin(&v);
    assert_int_equal(parse_file(&v, ""), 0);
    assert_int_equal(parse_file(&v, "\n\n"), 0);
    assert_int_equal(parse_file(&v, "flag=no\n"), 0);
    assert_false(v.flag);
}

static void the_command_line_wins_over_the_file(void **state)
{
    (void)state;
    struct values v;
    begin(&v);
    assert_true(parse(&v, "--number=7 --list=mine --flag=no") > 0);
    assert_int_equal(parse_file(&v, "number=8\nlist=yours\nflag=yes\ntext=file\n"), 0);
    assert_int_equal(v.number, 7);
    assert_false(v.flag);
    assert_int_equal(v.list.n, 1);
    assert_string_equal(v.list.items[0], "mine");
    assert_string_equal(v.text, "file"); /* of which the command line said nothing */
}

static void what_is_wrong_in_a_file_is_named_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"nothing", "line 1: \"nothing\" is not NAME = VALUE"},
        {"\n\nflag\n", "line 3: \"flag\" is not NAME = VALUE"},
        {"= x", "line 1: there is no option \"\""},
        {"#\nother = 1", "line 2: there is no option \"other\""},
        {"--flag = yes", "line 1: there is no option \"--flag\""},
        {"config = x", "line 1: there is no option \"config\""},
        {"flag = maybe", "line 1: flag: \"maybe\" is neither yes nor no"},
        {"flag =", "line 1: flag: \"\" is neither yes nor no"},
        {"text =", "line 1: text: the value is empty; expected TEXT"},
        {"list = ", "line 1: list: the value is empty; expected ITEM"},
        {"number = 4\nnumber = 1", "line 2: number: \"1\" is not a whole number from 3 to "
                                   "4000000000"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct values v;
        begin(&v);
        assert_int_equal(parse_file(&v, cases[i].text), -1);
        assert_string_equal(v.error.text, cases[i].error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_takes_its_value_in_both_forms),
        cmocka_unit_test(the_first_argument_that_is_no_option_ends_them),
        cmocka_unit_test(what_is_wrong_on_the_command_line_is_named_with_what_is_right),
        cmocka_unit_test(a_list_takes_16_items),
        cmocka_unit_test(long_and_foreign_values_are_cut_in_the_error),
        cmocka_unit_test(a_file_gives_the_same_options),
        cmocka_unit_test(the_command_line_wins_over_the_file),
        cmocka_unit_test(what_is_wrong_in_a_file_is_named_with_its_line),
    };
    return cmocka_run_group_tests_name("base_args", tests, NULL, NULL);
}
