#include "monitor/view/live/curses.h"

#include <errno.h>
#include <fcntl.h>
#include <ncursesw/curses.h>
#include <ncursesw/term.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#include "base/memory.h"
#include "base/monotonic.h"
#include "base/terminal.h"

#undef columns /* what term.h calls one of its values */

/* Whatever a terminal says of itself, no more of it is used. */
enum { MOST_ROWS = 1000, MOST_COLUMNS = 2000 };

/* The second one comes within so many seconds. */
#define DOUBLE_CLICK_SECONDS 0.4

/*
 * A terminal sends the bytes of a key together, so that Esc is known to be Esc when nothing follows
 * within milliseconds. Networks tear them apart now and then: what follows later still isn't taken
 * for keys.
 */
enum { ESCAPE_MILLIS = 25, ESCAPE_MILLIS_REMOTE = 100 };
#define LATE_SECONDS 0.5

enum { KEY_OF_ESCAPE = 27 };

struct curses {
    FILE *in;
    FILE *out;
    SCREEN *screen;
    struct termios before; /* how the terminal was */
    int abandon_fd;        /* the terminal, without waiting for it */
    char farewell[256];    /* what brings it back */
    size_t farewell_size;
    attr_t attributes[LOOK_KINDS];
    short pairs[LOOK_KINDS];
    cell_t *shown;  /* on the terminal now */
    int shown_rows; /* 0: not known */
    int shown_columns;
    cchar_t *line;
    wint_t next;      /* a character that was read too early; 0: none */
    double escape_at; /* when Esc was typed last */
    bool in_sequence; /* behind "ESC [" or "ESC O" */
    char sequence[16];
    size_t sequence_size;
    double click_at;
    int click_row;
    int click_column;
};

/* ---- taking it over, and giving it back ---- */

/* ncurses' handlers, which write to the terminal from wherever a signal comes. */
static const int handled[] = {SIGINT, SIGTERM, SIGTSTP, SIGWINCH};
enum { HANDLED = sizeof handled / sizeof *handled };

static SCREEN *new_screen(FILE *out, FILE *in)
{
    struct sigaction before[HANDLED];
    for (size_t i = 0; i < HANDLED; i++)
        sigaction(handled[i], NULL, &before[i]);
    SCREEN *screen = newterm(NULL, out, in);
    for (size_t i = 0; i < HANDLED; i++)
        sigaction(handled[i], &before[i], NULL);
    return screen;
}

/* tputs() wants a function without a context: this is only used while one is made. */
static curses_t *making;

static int add_to_farewell(int c)
{
    if (making->farewell_size < sizeof making->farewell)
        making->farewell[making->farewell_size++] = (char)c;
    return c;
}

static void prepare_farewell(curses_t *self, int out)
{
    static const char mouse_off[] = "\033[?1000l\033[?1006l";
    static char *const names[] = {"sgr0", "rmkx", "cnorm", "rmcup"};
    making = self;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *text = tigetstr(names[i]);
        if (text && text != (char *)-1)
            (void)tputs(text, 1, add_to_farewell);
    }
    if (tigetstr("kmous"))
        for (const char *c = mouse_off; *c; c++)
            (void)add_to_farewell(*c);
    making = NULL;
    /* Opened once more: not waiting is then not forced upon others who have this terminal. */
    char path[64] = "";
    if (ttyname_r(out, path, sizeof path) == 0)
        self->abandon_fd = open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
}

/* How a look is with 256 colours, with 8, and without. Colours are chosen to be read on black and
 * on white. */
typedef struct {
    short foreground_256, background_256;
    attr_t attributes_256;
    short foreground_8, background_8;
    attr_t attributes_8;
    attr_t attributes;
} style_t;

static const style_t styles[LOOK_KINDS] = {
    [LOOK_PLAIN] = {-1, -1, A_NORMAL, -1, -1, A_NORMAL, A_NORMAL},
    [LOOK_DIM] = {245, -1, A_NORMAL, -1, -1, A_DIM, A_DIM},
    [LOOK_BOLD] = {-1, -1, A_BOLD, -1, -1, A_BOLD, A_BOLD},
    [LOOK_TITLE] = {231, 24, A_NORMAL, COLOR_WHITE, COLOR_BLUE, A_NORMAL, A_REVERSE},
    [LOOK_KEY] = {229, 24, A_BOLD, COLOR_YELLOW, COLOR_BLUE, A_BOLD, A_BOLD},
    [LOOK_SELECTED] = {16, 80, A_NORMAL, COLOR_BLACK, COLOR_CYAN, A_NORMAL, A_REVERSE},
    [LOOK_GOOD] = {34, -1, A_NORMAL, COLOR_GREEN, -1, A_NORMAL, A_NORMAL},
    [LOOK_WARNING] = {172, -1, A_NORMAL, COLOR_YELLOW, -1, A_NORMAL, A_NORMAL},
    [LOOK_ALARM] = {196, -1, A_BOLD, COLOR_RED, -1, A_BOLD, A_BOLD},
    [LOOK_BAR] = {37, -1, A_NORMAL, COLOR_CYAN, -1, A_NORMAL, A_NORMAL},
};

static void prepare_looks(curses_t *self, bool no_color)
{
    const bool colors = !no_color && has_colors() && start_color() == OK;
    if (colors && use_default_colors() != OK)
        assume_default_colors(COLOR_WHITE, COLOR_BLACK);
    for (int i = 0; i < LOOK_KINDS; i++) {
        const style_t *style = &styles[i];
        self->attributes[i] = style->attributes;
        if (!colors)
            continue;
        const bool many = COLORS >= 256;
        self->attributes[i] = many ? style->attributes_256 : style->attributes_8;
        const short foreground = many ? style->foreground_256 : style->foreground_8;
        const short background = many ? style->background_256 : style->background_8;
        if ((foreground >= 0 || background >= 0) && i < COLOR_PAIRS &&
            init_pair((short)i, foreground, background) == OK)
            self->pairs[i] = (short)i;
        else
            self->attributes[i] = style->attributes;
    }
}

static void prepare_keys(void)
{
    cbreak();
    noecho();
    nonl();
    intrflush(stdscr, FALSE);
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    if (!getenv("ESCDELAY"))
        set_escdelay(getenv("SSH_CONNECTION") ? ESCAPE_MILLIS_REMOTE : ESCAPE_MILLIS);
    /* A click is told when the button goes down: nothing waits for it to come up. */
    mouseinterval(0);
    mousemask(BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED, NULL);
}

static FILE *open_copy(int fd, const char *mode)
{
    const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    FILE *file = copy >= 0 ? fdopen(copy, mode) : NULL;
    if (!file && copy >= 0)
        close(copy);
    return file;
}

static void free_all(curses_t *self)
{
    if (self->in)
        (void)fclose(self->in);
    if (self->out)
        (void)fclose(self->out);
    if (self->abandon_fd >= 0)
        close(self->abandon_fd);
    free(self->shown);
    free(self->line);
    free(self);
}

curses_t *curses_new(int in, int out, bool no_color, char **error)
{
    *error = NULL;
    const char *kind = getenv("TERM");
    curses_t *self = memory_new(1, sizeof *self);
    self->abandon_fd = -1;
    self->in = open_copy(in, "r");
    self->out = open_copy(out, "w");
    if (!self->in || !self->out || tcgetattr(in, &self->before) != 0)
        *error = memory_format("the live view needs a terminal: %s", strerror(errno));
    else if (!terminal_is_capable(out))
        *error =
            memory_format("the live view needs a terminal that can move its cursor: TERM is %s",
                          kind && *kind ? kind : "not set");
    else if (!(self->screen = new_screen(self->out, self->in)))
        *error = memory_format("the live view can't use the terminal: its kind, TERM=%s, isn't "
                               "known here",
                               kind);
    if (*error) {
        free_all(self);
        return NULL;
    }
    set_term(self->screen);
    prepare_keys();
    prepare_looks(self, no_color);
    curs_set(0);
    prepare_farewell(self, out);
    return self;
}

void curses_destroy(curses_t **self)
{
    curses_t *curses = *self;
    if (!curses)
        return;
    if (!isendwin())
        endwin();
    /* Without a screen of its own, it leaves a line of ours under the cursor. */
    const char *other_screen = tigetstr("rmcup");
    if (!other_screen || other_screen == (const char *)-1)
        (void)!write(fileno(curses->out), "\r\n", 2);
    delscreen(curses->screen);
    free_all(curses);
    *self = NULL;
}

void curses_suspend(curses_t *self)
{
    (void)self;
    endwin();
}

void curses_resume(curses_t *self)
{
    /* After SIGSTOP it was never given back, but the shell has changed it all the same. */
    if (!isendwin())
        endwin();
    curses_forget(self); /* what is shown next takes the terminal again */
    refresh();
}

void curses_abandon(const curses_t *self)
{
    const int fd = self->abandon_fd >= 0 ? self->abandon_fd : fileno(self->out);
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    (void)tcflow(fd, TCOON);
    (void)tcflush(fd, TCOFLUSH);
    if (self->abandon_fd >= 0 || poll(&poll_fd, 1, 0) > 0)
        (void)!write(fd, self->farewell, self->farewell_size);
    (void)tcsetattr(fd, TCSANOW, &self->before);
}

/* ---- showing ---- */

void curses_forget(curses_t *self)
{
    self->shown_rows = 0;
    clearok(curscr, TRUE);
}

static int between(int value, int least, int most)
{
    return value < least ? least : value > most ? most : value;
}

void curses_size(curses_t *self, int *rows, int *columns)
{
    struct winsize size = {0};
    if (ioctl(fileno(self->out), TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0) {
        const int new_rows = between(size.ws_row, 1, MOST_ROWS);
        const int new_columns = between(size.ws_col, 1, MOST_COLUMNS);
        if (new_rows != LINES || new_columns != COLS) {
            resizeterm(new_rows, new_columns);
            curses_forget(self);
        }
    }
    *rows = between(LINES, 1, MOST_ROWS);
    *columns = between(COLS, 1, MOST_COLUMNS);
}

/* Where the C library knows another width than the canvas, ncurses would get the columns wrong. */
static void set_cell(const curses_t *self, cchar_t *to, const cell_t *cell, int cells)
{
    wchar_t text[3] = {cell->character, cell->mark, L'\0'};
    if (wcwidth(text[0]) != cells)
        text[0] = L'?';
    if (text[1] && wcwidth(text[1]) != 0)
        text[1] = L'\0';
    setcchar(to, text, self->attributes[cell->look], self->pairs[cell->look], NULL);
}

static void show_row(const curses_t *self, const canvas_t *canvas, int row, int columns)
{
    static const cell_t blank = {L' ', 0, LOOK_PLAIN};
    int count = 0;
    int column = 0;
    while (column < columns) {
        const cell_t *cell = canvas_cell(canvas, row, column);
        const bool wide =
            column + 1 < columns && canvas_cell(canvas, row, column + 1)->character == L'\0';
        const cell_t *next = wide ? canvas_cell(canvas, row, column + 1) : NULL;
        if (wide && wcwidth(cell->character) == 2) {
            set_cell(self, &self->line[count++], cell, 2);
            column += 2;
            continue;
        }
        set_cell(self, &self->line[count++], cell->character ? cell : &blank, 1);
        column++;
        if (next) {
            set_cell(self, &self->line[count++], &(cell_t){L' ', 0, next->look}, 1);
            column++;
        }
    }
    mvadd_wchnstr(row, 0, self->line, count);
}

/* Whether a row is on the terminal already; if not, it counts as being there from now on. */
static bool is_shown(const curses_t *self, const canvas_t *canvas, int row, int columns, bool known)
{
    const cell_t *cells = canvas_cell(canvas, row, 0);
    cell_t *shown = self->shown + (size_t)row * (size_t)columns;
    const size_t size = (size_t)columns * sizeof *shown;
    if (known && memcmp(shown, cells, size) == 0)
        return true;
    memcpy(shown, cells, size);
    return false;
}

void curses_show(curses_t *self, const canvas_t *canvas)
{
    const int rows = canvas_rows(canvas) < LINES ? canvas_rows(canvas) : LINES;
    const int columns = canvas_columns(canvas) < COLS ? canvas_columns(canvas) : COLS;
    const bool known = rows == self->shown_rows && columns == self->shown_columns;
    if (!known) {
        self->shown =
            memory_resize(self->shown, (size_t)rows * (size_t)columns, sizeof *self->shown);
        self->line = memory_resize(self->line, (size_t)columns, sizeof *self->line);
        self->shown_rows = rows;
        self->shown_columns = columns;
    }
    for (int row = 0; row < rows; row++)
        if (!is_shown(self, canvas, row, columns, known))
            show_row(self, canvas, row, columns);
    refresh();
}

/* ---- keys ---- */

/* What ncurses calls a key, or what a terminal sends for it; 0: nothing of interest. */
static int32_t key_of_code(wint_t code)
{
    switch (code) {
    case KEY_UP:
        return UI_KEY_UP;
    case KEY_DOWN:
        return UI_KEY_DOWN;
    case KEY_LEFT:
        return UI_KEY_LEFT;
    case KEY_RIGHT:
        return UI_KEY_RIGHT;
    case KEY_PPAGE:
        return UI_KEY_PAGE_UP;
    case KEY_NPAGE:
        return UI_KEY_PAGE_DOWN;
    case KEY_HOME:
        return UI_KEY_HOME;
    case KEY_END:
        return UI_KEY_END;
    case KEY_ENTER:
        return UI_KEY_ENTER;
    case KEY_BACKSPACE:
        return UI_KEY_BACKSPACE;
    case KEY_DC:
        return UI_KEY_DELETE;
    case KEY_BTAB:
        return UI_KEY_BACK_TAB;
    default:
        return 0;
    }
}

static int32_t key_of_character(wint_t character)
{
    switch (character) {
    case L'\r':
    case L'\n':
        return UI_KEY_ENTER;
    case L'\t':
        return UI_KEY_TAB;
    case L'\b':
    case 0x7f:
        return UI_KEY_BACKSPACE;
    default:
        return (int32_t)character;
    }
}

/* A key whose bytes came apart: the usual ones of all terminals. */
static int32_t key_of_sequence(const char *parameters, char end)
{
    static const struct {
        const char *parameters; /* NULL: any */
        char end;
        int32_t key;
    } keys[] = {
        {NULL, 'A', UI_KEY_UP},       {NULL, 'B', UI_KEY_DOWN},     {NULL, 'C', UI_KEY_RIGHT},
        {NULL, 'D', UI_KEY_LEFT},     {NULL, 'H', UI_KEY_HOME},     {NULL, 'F', UI_KEY_END},
        {NULL, 'Z', UI_KEY_BACK_TAB}, {"1", '~', UI_KEY_HOME},      {"7", '~', UI_KEY_HOME},
        {"4", '~', UI_KEY_END},       {"8", '~', UI_KEY_END},       {"3", '~', UI_KEY_DELETE},
        {"5", '~', UI_KEY_PAGE_UP},   {"6", '~', UI_KEY_PAGE_DOWN},
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (keys[i].end == end &&
            (!keys[i].parameters || strcmp(keys[i].parameters, parameters) == 0))
            return keys[i].key;
    return 0;
}

/* Takes a character of a sequence. False: it isn't one, and the sequence has ended. */
static bool take_of_sequence(curses_t *self, wint_t character, int32_t *key)
{
    if (character >= 0x20 && character < 0x40) {
        if (self->sequence_size + 1 < sizeof self->sequence)
            self->sequence[self->sequence_size++] = (char)character;
        return true;
    }
    self->in_sequence = false;
    if (character < 0x40 || character > 0x7e)
        return false;
    self->sequence[self->sequence_size] = '\0';
    *key = key_of_sequence(self->sequence, (char)character);
    return true;
}

static bool begins_sequence(wint_t character)
{
    return character == L'[' || character == L'O';
}

static void begin_sequence(curses_t *self)
{
    self->in_sequence = true;
    self->sequence_size = 0;
    self->escape_at = monotonic_seconds();
}

static int32_t take_escape(curses_t *self)
{
    wint_t next = 0;
    self->escape_at = monotonic_seconds();
    const int result = get_wch(&next);
    if (result == OK && begins_sequence(next)) {
        begin_sequence(self);
        return 0;
    }
    if (result == OK)
        self->next = next;
    return UI_KEY_ESCAPE;
}

/* The key that a character is or completes; 0: none. */
static int32_t take_character(curses_t *self, wint_t character)
{
    const bool is_late = monotonic_seconds() - self->escape_at < LATE_SECONDS;
    int32_t key = 0;
    if (self->in_sequence && !is_late)
        self->in_sequence = false;
    if (self->in_sequence && take_of_sequence(self, character, &key))
        return key;
    if (character == KEY_OF_ESCAPE)
        return take_escape(self);
    if (is_late && begins_sequence(character)) {
        begin_sequence(self);
        return 0;
    }
    self->escape_at = 0;
    return key_of_character(character);
}

static int32_t take_mouse(curses_t *self, ui_input_t *input)
{
    MEVENT event;
    if (getmouse(&event) != OK)
        return 0;
    input->row = event.y;
    input->column = event.x;
    if (event.bstate & BUTTON4_PRESSED)
        return UI_KEY_WHEEL_UP;
    if (event.bstate & BUTTON5_PRESSED)
        return UI_KEY_WHEEL_DOWN;
    if (!(event.bstate & BUTTON1_PRESSED))
        return 0;
    const double now = monotonic_seconds();
    const bool again = now - self->click_at < DOUBLE_CLICK_SECONDS && event.y == self->click_row &&
                       event.x == self->click_column;
    self->click_at = again ? 0 : now;
    self->click_row = event.y;
    self->click_column = event.x;
    return again ? UI_KEY_DOUBLE_CLICK : UI_KEY_CLICK;
}

bool curses_read(curses_t *self, ui_input_t *input)
{
    *input = (ui_input_t){0};
    while (!input->key) {
        wint_t character = self->next;
        const int result = character ? OK : get_wch(&character);
        self->next = 0;
        if (result == ERR)
            return false;
        if (result != KEY_CODE_YES)
            input->key = take_character(self, character);
        else if (character == KEY_MOUSE)
            input->key = take_mouse(self, input);
        else
            input->key = key_of_code(character);
    }
    return true;
}
