#include "base/args.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static int fail(struct args_error *error, const char *format,
                                                      ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return -1;
}

static struct arg *find(struct arg *rows, const char *name, size_t n)
{
    for (struct arg *a = rows; a->name; a++)
        if (strlen(a->name) == n && memcmp(a->name, name, n) == 0)
            return a;
    return NULL;
}

static int set_number(const struct arg *a, const char *value, struct args_error *error)
{
    uint64_t n = 0;
    size_t digits = strspn(value, "0123456789");
    for (size_t i = 0; i < digits && n <= UINT32_MAX; i++)
        n = n * 10 + (uint64_t)(value[i] - '0');
    if (digits == 0 || value[digits] || n < a->min || n > a->max)
        return fail(error, "%s: \"%.40s\" is not a whole number from %u to %u", a->name, value,
                    a->min, a->max);
    *(uint32_t *)a->to = (uint32_t)n;
    return 0;
}

static int set_size(const struct arg *a, const char *value, struct args_error *error)
{
    static const char units[] = "KMG";
    uint64_t n = 0;
    size_t digits = strspn(value, "0123456789");
    const char *unit = value[digits] ? strchr(units, value[digits]) : NULL;
    for (size_t i = 0; i < digits && n < UINT64_C(1) << 50; i++)
        n = n * 10 + (uint64_t)(value[i] - '0');
    if (digits == 0 || (value[digits] && (!unit || value[digits + 1])) ||
        n >= UINT64_C(1) << (unit ? 33 : 50))
        return fail(error, "%s: \"%.40s\" is not a number of bytes, as 1000000, 512K, 64M or 2G",
                    a->name, value);
    if (unit)
        n <<= 10 * (unit - units + 1);
    if (n < a->min)
        return fail(error, "%s: \"%.40s\" is less than %u bytes", a->name, value, a->min);
    *(uint64_t *)a->to = n;
    return 0;
}

static int set(const struct arg *a, const char *value, struct args_error *error)
{
    struct arg_list *list = a->to;
    if (!*value && (a->kind == ARG_TEXT || a->kind == ARG_LIST))
        return fail(error, "%s: the value is empty; expected %s", a->name, a->value);
    switch (a->kind) {
    case ARG_FLAG:
        if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
            return fail(error, "%s: \"%.40s\" is neither yes nor no", a->name, value);
        *(bool *)a->to = value[0] == 'y';
        return 0;
    case ARG_NUMBER:
        return set_number(a, value, error);
    case ARG_SIZE:
        return set_size(a, value, error);
    case ARG_TEXT:
        *(const char **)a->to = value;
        return 0;
    case ARG_LIST:
        if (list->n == ARGS_LIST_MAX)
            return fail(error, "%s: given more than %d times", a->name, ARGS_LIST_MAX);
        list->items[list->n++] = value;
        return 0;
    }
    return 0;
}

int args_parse(struct arg *rows, int argc, char **argv, struct args_error *error)
{
    int i = 1;
    while (i < argc && strncmp(argv[i], "--", 2) == 0) {
        const char *name = argv[i++] + 2;
        if (!*name)
            return i;
        size_t n = strcspn(name, "=");
        struct arg *a = find(rows, name, n);
        if (!a)
            return fail(error, "there is no option --%.60s; see --help", name);
        const char *value = name[n] ? name + n + 1 : NULL;
        if (a->kind == ARG_FLAG && !a->value && !value)
            value = "yes";
        if (!value && i < argc)
            value = argv[i++];
        if (!value)
            return fail(error, "--%s needs a value, %s", a->name, a->value);
        a->given = true;
        if (set(a, value, error))
            return -1;
    }
    if (i < argc && argv[i][0] == '-' && argv[i][1])
        return fail(error, "there is no option %.60s; see --help", argv[i]);
    return i;
}

static char *trim(char *s)
{
    s += strspn(s, " \t");
    size_t n = strlen(s);
    while (n && strchr(" \t\r", s[n - 1]))
        s[--n] = 0;
    return s;
}

int args_parse_file(struct arg *rows, char *text, struct args_error *error)
{
    char *line = text;
    for (int number = 1; line; number++) {
        char *next = strchr(line, '\n');
        if (next)
            *next++ = 0;
        char *name = trim(line);
        line = next;
        if (!*name || *name == '#')
            continue;
        char *equals = strchr(name, '=');
        if (!equals)
            return fail(error, "line %d: \"%.60s\" is not NAME = VALUE", number, name);
        *equals = 0;
        name = trim(name);
        struct arg *a = find(rows, name, strlen(name));
        if (!a)
            return fail(error, "line %d: there is no option \"%.60s\"", number, name);
        if (strcmp(name, "config") == 0)
            return fail(error, "line %d: a config file cannot name another one", number);
        struct args_error inner;
        if (!a->given && set(a, trim(equals + 1), &inner))
            return fail(error, "line %d: %.200s", number, inner.text);
    }
    return 0;
}

void args_help(const struct arg *rows)
{
    for (const struct arg *a = rows; a->name; a++) {
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", a->name, a->value ? " " : "",
                 a->value ? a->value : "");
        printf("  %-30s %s\n", left, a->help);
    }
}
