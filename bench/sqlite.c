#include "sqlite.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

struct sqlite3;
struct sqlite3_stmt;

#define SQLITE_OK 0
#define SQLITE_DONE 101

static int (*open_db)(const char *, struct sqlite3 **);
static int (*close_db)(struct sqlite3 *);
static int (*exec)(struct sqlite3 *, const char *, int (*)(void *, int, char **, char **), void *,
                   char **);
static int (*prepare)(struct sqlite3 *, const char *, int, struct sqlite3_stmt **, const char **);
static int (*bind_int64)(struct sqlite3_stmt *, int, int64_t);
static int (*bind_text)(struct sqlite3_stmt *, int, const char *, int, void (*)(void *));
static int (*step)(struct sqlite3_stmt *);
static int (*reset)(struct sqlite3_stmt *);
static int (*finalize)(struct sqlite3_stmt *);
static const char *(*errmsg)(struct sqlite3 *);

bool sqlite_load(void)
{
    void *lib = dlopen("libsqlite3.so.0", RTLD_NOW | RTLD_LOCAL);
    const struct {
        void *to;
        const char *name;
    } wanted[] = {
        {&open_db, "sqlite3_open"},
        {&close_db, "sqlite3_close"},
        {&exec, "sqlite3_exec"},
        {&prepare, "sqlite3_prepare_v2"},
        {&bind_int64, "sqlite3_bind_int64"},
        {&bind_text, "sqlite3_bind_text"},
        {&step, "sqlite3_step"},
        {&reset, "sqlite3_reset"},
        {&finalize, "sqlite3_finalize"},
        {&errmsg, "sqlite3_errmsg"},
    };
    for (size_t i = 0; lib && i < sizeof wanted / sizeof *wanted; i++) {
        void *found = dlsym(lib, wanted[i].name);
        memcpy(wanted[i].to, &found, sizeof found); /* POSIX: a function fits a void pointer */
        if (!found)
            return false;
    }
    return lib != NULL;
}

static void sqlite_check(struct sqlite3 *db, int result, int expected)
{
    if (result != expected)
        run_die(0, "SQLite: %s", db ? errmsg(db) : "no memory");
}

static void sqlite_exec(struct sqlite3 *db, const char *sql)
{
    sqlite_check(db, exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
}

static void sqlite_insert(struct sqlite3 *db, struct sqlite3_stmt *s, int64_t id, struct slice text)
{
    sqlite_check(db, bind_int64(s, 1, id), SQLITE_OK);
    sqlite_check(db, bind_int64(s, 2, id % 1000), SQLITE_OK);
    sqlite_check(db, bind_int64(s, 3, id & 1), SQLITE_OK);
    sqlite_check(db, bind_int64(s, 4, INT64_C(1790000000000) + id), SQLITE_OK);
    sqlite_check(db, bind_text(s, 5, (const char *)text.p, (int)text.n, NULL), SQLITE_OK);
    sqlite_check(db, step(s), SQLITE_DONE);
    sqlite_check(db, reset(s), SQLITE_OK);
}

void sqlite_run(struct run *r, const char *path, unsigned per_transaction, struct slice content,
                double seconds)
{
    struct sqlite3 *db = NULL;
    struct sqlite3_stmt *insert = NULL;
    sqlite_check(NULL, open_db(path, &db), SQLITE_OK);
    sqlite_exec(db, "PRAGMA journal_mode=WAL");
    sqlite_exec(db, "PRAGMA synchronous=FULL");
    sqlite_exec(db, "CREATE TABLE message(id INTEGER PRIMARY KEY, conversation INTEGER,"
                    " sender INTEGER, date INTEGER, content TEXT)");
    sqlite_check(db, prepare(db, "INSERT INTO message VALUES(?,?,?,?,?)", -1, &insert, NULL),
                 SQLITE_OK);
    int64_t id = 0;
    uint64_t now = histogram_now();
    run_start(r, seconds);
    while (run_goes_on(r, now)) {
        uint64_t before = now;
        if (per_transaction > 1)
            sqlite_exec(db, "BEGIN");
        for (unsigned i = 0; i < per_transaction; i++)
            sqlite_insert(db, insert, ++id, content);
        if (per_transaction > 1)
            sqlite_exec(db, "COMMIT");
        now = histogram_now();
        for (unsigned i = 0; i < per_transaction; i++)
            run_message(r, now - before);
    }
    finalize(insert);
    close_db(db);
}
