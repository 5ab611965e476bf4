/*
 * embed-example: a chat inside a program that has an event loop of its own, here poll(2).
 *
 *   embed-example ADDRESS DATA     until its standard input ends
 *
 * "let NAME in" is a token for NAME. Nobody may say "spam". The user "echo" is this program, which says
 * to whoever speaks to him what he said; GET /said tells how often.
 */
#include <parley.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

struct program {
    struct parley *parley;
    unsigned said;
};

static bool authorise(void *ctx, const struct parley_message *m, struct parley_refusal *refusal)
{
    (void)ctx;
    refusal->text = "nobody says spam here";
    return m->content.n != 4 || memcmp(m->content.p, "spam", 4) != 0;
}

static bool verify(void *ctx, struct parley_text token, struct parley_user *user)
{
    char text[72];
    int n = snprintf(text, sizeof text, "%.*s", (int)token.n, token.p);
    (void)ctx;
    if (n < 8 || n > 71 || memcmp(text, "let ", 4) != 0 || strcmp(text + n - 3, " in") != 0)
        return false;
    memcpy(user->id, text + 4, user->id_n = (size_t)n - 7);
    return true;
}

static void committed(void *ctx, const struct parley_message *m)
{
    struct program *program = ctx;
    if (m->to.n != 4 || memcmp(m->to.p, "echo", 4) != 0)
        return;
    program->said++;
    parley_send(program->parley, m->to, m->from, m->content, parley_string(""), NULL, NULL);
}

static void request(void *ctx, struct parley_request *r)
{
    char text[16];
    snprintf(text, sizeof text, "%u\n", ((struct program *)ctx)->said);
    if (r->path.n == 5 && memcmp(r->path.p, "/said", 5) == 0)
        parley_respond(r, 200, "text/plain", "", parley_string(text));
}

int main(int argc, char **argv)
{
    struct program program = {NULL, 0};
    struct parley_error error;
    char settings[512] = "", address[PARLEY_ADDRESS];
    const struct parley_options options = {settings,  &program, authorise, verify,
                                           committed, request,  NULL};
    if (argc == 3)
        snprintf(settings, sizeof settings, "listen = %s\ndata = %s\n", argv[1], argv[2]);
    if (!(program.parley = parley_open(&options, &error))) {
        fprintf(stderr, "embed-example: %s\n", error.text);
        return error.status;
    }
    for (size_t i = 0; parley_address(program.parley, i, address); i++)
        fprintf(stderr, "listening on %s\n", address);
    struct pollfd ready[] = {{parley_fd(program.parley), POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    while (poll(ready, 2, -1) > 0 && parley_run_once(program.parley, 0) > 0)
        if (ready[1].revents && read(STDIN_FILENO, settings, sizeof settings) <= 0)
            break;
    return parley_close(program.parley) ? 1 : 0;
}
