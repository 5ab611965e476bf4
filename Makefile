# parley: one Makefile, no configure step. `make help` explains it.
#
# VARIANT picks the flavour, each with its own folder below build/:
#   release (default), debug, asan (Address- and UBSan), tsan, coverage, musl (static),
#   fuzz (libFuzzer with the same sanitizers), fuzzfast (without them)

VARIANT ?= release
PREFIX  ?= /usr/local
DEMO    ?= 1
B       := build/$(VARIANT)

CC_release  := gcc
CC_debug    := gcc
CC_asan     := gcc
CC_tsan     := gcc
CC_coverage := gcc
CC_musl     := musl-gcc
CC_fuzz     := clang
CC_fuzzfast := clang
# Those of other machines, with Debian's cross compilers; the tests run them under qemu-user.
CROSS       := aarch64 armhf i386 riscv64 s390x
CC_aarch64  := aarch64-linux-gnu-gcc
CC_armhf    := arm-linux-gnueabihf-gcc
CC_i386     := i686-linux-gnu-gcc
CC_riscv64  := riscv64-linux-gnu-gcc
CC_s390x    := s390x-linux-gnu-gcc
ifeq ($(origin CC),default)
CC := $(shell command -v $(CC_$(VARIANT)) >/dev/null 2>&1 && echo $(CC_$(VARIANT)) || echo cc)
endif

WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla \
        -Wpointer-arith -Wwrite-strings -Wundef -Wformat=2
SAN  := -O1 -g -fno-omit-frame-pointer -DPARLEY_CONFINE=0
FLAGS_release  := -O2 -ffunction-sections -fdata-sections -fno-plt -fstack-protector-strong \
                  -fno-asynchronous-unwind-tables
FLAGS_debug    := -O0 -g3
FLAGS_asan     := $(SAN) -fsanitize=address,undefined -fno-sanitize-recover=all
FLAGS_tsan     := $(SAN) -fsanitize=thread
FLAGS_coverage := -O0 -g --coverage -DPARLEY_CONFINE=0
# For size. The objects hold plain code as well as that for the link of parleyd, which sees the program as a
# whole; tests that put functions of their own in place of the library's take the plain code.
FLAGS_musl      = $(if $(shell $(CC_musl) -Oz -E -xc /dev/null 2>/dev/null),-Oz,-Os) -fno-pie -flto -ffat-lto-objects \
                  -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables \
                  -fno-inline-functions-called-once -fno-expensive-optimizations -fno-tree-loop-optimize \
                  -fno-tree-loop-im -fno-move-loop-invariants
FLAGS_fuzz     := $(SAN) -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
FLAGS_fuzzfast := -O2 -g -fsanitize=fuzzer-no-link
LD_release     := -Wl,--gc-sections -Wl,-z,relro,-z,now,-z,noseparate-code
# A static program's tables are in .rodata, relro has nothing to protect; and the data begins in the file where
# the code ends.
LD_musl        := -static -no-pie -fno-lto -Wl,--gc-sections -Wl,-z,noseparate-code,-z,norelro,-z,common-page-size=64
WHOLE_musl     := -flto -flto-partition=one
ifneq ($(filter $(VARIANT),$(CROSS)),)
FLAGS_$(VARIANT) := $(FLAGS_release)
LD_$(VARIANT)    := $(LD_release)
endif
ifneq ($(filter $(VARIANT),musl $(CROSS)),) # tests/install-cross puts it there
CPPFLAGS += -I$(B)/cmocka
LDFLAGS  += -L$(B)/cmocka
endif
ifeq ($(origin FLAGS_$(VARIANT)),undefined)
$(error VARIANT=$(VARIANT) is unknown; take one of release debug asan tsan coverage musl fuzz fuzzfast $(CROSS))
endif

CPPFLAGS_ALL := -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DPARLEY_DEMO=$(DEMO) -Isrc $(CPPFLAGS)
CFLAGS_ALL   := -std=gnu11 $(WARN) $(FLAGS_$(VARIANT)) -pthread $(CFLAGS)
LDFLAGS_ALL  := $(FLAGS_$(VARIANT)) -pthread $(LD_$(VARIANT)) $(LDFLAGS)

LIB_SRC   := $(filter-out src/server/main.c,$(wildcard src/*/*.c))
LIB_OBJ   := $(LIB_SRC:%.c=$(B)/obj/%.o)
LIB       := $(B)/libparley.a
# For other programs: one object in which no names but those of parley.h can be seen, and without what is
# about a process.
HOST_LIB  := $(B)/lib/libparley.a
HOST_OBJ  := $(filter-out $(addprefix %/server/,confine.o landlock.o privileges.o seccomp.o),$(LIB_OBJ))
TOOL_SRC  := $(wildcard tools/*.c)
# The parts of parley-log.
TOOL_PARTS := $(wildcard tools/*/*.c)
TOOL_LIB  := $(B)/libtools.a
BENCH_SRC := $(wildcard bench/*-bench.c)
# What they share, and their parts; each takes what it names.
BENCH_PARTS := $(filter-out $(BENCH_SRC),$(wildcard bench/*.c))
BENCH_LIB := $(B)/libbench.a
PROGRAMS  := $(B)/parleyd $(TOOL_SRC:tools/%.c=$(B)/%) $(BENCH_SRC:bench/%.c=$(B)/%)
TESTS     := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/unit/*.c tests/api/*.c))
SIM       := $(B)/tests/sim/store
SIM_DISK  := $(addprefix $(B)/obj/tests/sim/,simdisk.o simfile.o simnames.o world.o)
SIM_PARTS := $(addprefix $(B)/obj/tests/sim/,model.o run.o seeds.o) $(SIM_DISK)
MODEL     := $(B)/tests/model/main
MODEL_PARTS := $(patsubst tests/%.c,$(B)/obj/tests/%.o,$(filter-out %/main.c %/programs.c,$(wildcard tests/model/*.c))) \
               $(B)/obj/tests/sim/seeds.o $(SIM_DISK)
FUZZ_PARTS := $(addprefix $(B)/obj/tests/fuzz/,judge.o scarce.o) $(SIM_DISK)
FUZZ_WRAP := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=reallocarray
ifneq ($(VARIANT),tsan) # it has one thread
FUZZ      := $(patsubst tests/fuzz/%.c,$(B)/tests/fuzz/%,\
               $(filter-out %/replay.c %/judge.c %/scarce.c,$(wildcard tests/fuzz/*.c)))
MEMORY    := $(addprefix $(B)/tests/memory/,survive steady)
MEMORY_PARTS := $(B)/obj/tests/memory/life.o $(B)/obj/tests/fuzz/scarce.o $(SIM_DISK)
TESTS     += $(B)/tests/sim/crashes $(B)/tests/model/programs $(FUZZ) $(MEMORY)
endif
CONFORM   := $(B)/tests/conformance/rfc6455
CONFORM_PARTS := $(addprefix $(B)/obj/tests/conformance/,cases.o script.o utf8.o)
TESTS     += $(CONFORM)
PERF      := $(B)/tests/perf/scenarios
PERF_PARTS := tests/perf/scenarios.o tests/sim/world.o
HELPERS   := $(patsubst tests/%.c,$(B)/obj/tests/%.o,$(wildcard tests/support/*.c))
SOURCES   := $(LIB_SRC) src/server/main.c $(TOOL_SRC) $(TOOL_PARTS) $(BENCH_SRC) $(BENCH_PARTS)
FORMATTED := $(wildcard src/*/*.[ch] src/*.h tools/*.[ch] tools/*/*.[ch] bench/*.[ch] tests/*/*.[ch])

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all run test everywhere size dist test-suite list-tests test-tools conformance sim model scale soak crash mutants perf-check perf-record check install clean help bench-store fuzz fuzz-programs coverage bench microbench bench-storm bench-socketio footprint

all: $(PROGRAMS)

# ---- building ---------------------------------------------------------------------------

# The stamp changes when compiler or flags do, and only then: a second make does nothing.
STAMP := $(B)/.flags
STAMP_TEXT := $(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LDFLAGS_ALL)
ifneq ($(file <$(STAMP)),$(STAMP_TEXT))
$(shell mkdir -p $(B))
$(file >$(STAMP),$(STAMP_TEXT))
endif

$(B)/obj/%.o: %.c $(STAMP)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(LIB): $(LIB_OBJ)
$(BENCH_LIB): $(BENCH_PARTS:%.c=$(B)/obj/%.o)
$(TOOL_LIB): $(TOOL_PARTS:%.c=$(B)/obj/%.o)
$(LIB) $(BENCH_LIB) $(TOOL_LIB):
	rm -f $@ && $(AR) rcs $@ $^

$(HOST_LIB): $(HOST_OBJ)
	@mkdir -p $(@D)
	$(CC) -r -nostdlib -fno-lto -Wl,--force-group-allocation -o $(@D)/parley.o $^
	$$($(CC) -print-prog-name=objcopy) --wildcard --keep-global-symbol='parley_*' -R '.gnu.lto_*' $(@D)/parley.o
	rm -f $@ && $(AR) rcs $@ $(@D)/parley.o

$(B)/embed-example: $(B)/obj/tools/embed-example.o $(HOST_LIB)
	$(CC) $(LDFLAGS_ALL) -o $@ $^

$(B)/parleyd: $(B)/obj/src/server/main.o $(LIB)
	$(CC) $(LDFLAGS_ALL) $(WHOLE_$(VARIANT)) -o $@ $^

$(B)/%: $(B)/obj/tools/%.o $(TOOL_LIB) $(LIB)
	$(CC) $(LDFLAGS_ALL) -o $@ $^

$(B)/%: $(B)/obj/bench/%.o $(BENCH_LIB) $(TOOL_LIB) $(LIB)
	$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(filter %.a,$^) -ldl -lm
$(B)/micro-bench: $(PERF_PARTS:%=$(B)/obj/%)

$(B)/tests/%: $(B)/obj/tests/%.o $(HELPERS) $(TOOL_LIB) $(LIB)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ -lcmocka

# It counts how often an event is written.
$(B)/tests/unit/chat_socketio: LDFLAGS_ALL += -Wl,--wrap=wire_write

# A host, and clients that have a copy of the library of their own.
$(B)/tests/api/embed: $(B)/obj/tests/api/embed.o $(B)/obj/tests/fuzz/scarce.o $(HOST_LIB) $(HELPERS) $(LIB)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) $(FUZZ_WRAP) -o $@ $^ -lcmocka

# The parts bring a clock and a random source of their own: they come in front of the library.
$(SIM) $(B)/tests/sim/crashes: $(B)/tests/sim/%: $(B)/obj/tests/sim/%.o $(SIM_PARTS) $(LIB)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ -lcmocka

$(MODEL) $(B)/tests/model/programs: $(B)/tests/%: $(B)/obj/tests/%.o $(MODEL_PARTS) $(LIB)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ -lcmocka

$(CONFORM): $(B)/obj/tests/conformance/rfc6455.o $(CONFORM_PARTS) $(HELPERS) $(LIB)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ -lcmocka

# A fuzz target in the plain variants has a main that replays its corpus; in those of libFuzzer, its own.
ifneq ($(filter fuzz%,$(VARIANT)),)
FUZZ_MAIN := -fsanitize=fuzzer
else
FUZZ_PARTS += $(B)/obj/tests/fuzz/replay.o
FUZZ_MAIN  := -lcmocka
endif
$(B)/tests/fuzz/address: FUZZ_WRAP += -Wl,--wrap=getaddrinfo
$(FUZZ): $(B)/tests/fuzz/%: $(B)/obj/tests/fuzz/%.o $(FUZZ_PARTS) $(TOOL_LIB) $(LIB)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) $(FUZZ_WRAP) -o $@ $^ $(FUZZ_MAIN) -ldl

# Memory that runs out, or is counted, in a whole server on a simulated disk.
$(MEMORY): $(B)/tests/memory/%: $(B)/obj/tests/memory/%.o $(MEMORY_PARTS) $(HELPERS) $(LIB)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) $(FUZZ_WRAP) $(foreach f,store_open disk_open_dir disk_close_dir,-Wl,--wrap=$(f)) \
	    -o $@ $^ -lcmocka

# The page is taken into the object by .incbin, which no compiler reports as a dependency.
$(B)/page.gz: src/server/web/index.html
	gzip -9nc $< >$@
$(B)/obj/src/server/pages.o: $(B)/page.gz
$(B)/obj/src/server/pages.o: CPPFLAGS_ALL += -DPARLEY_PAGE='"$(B)/page.gz"'

-include $(patsubst %.o,%.d,$(LIB_OBJ) $(HELPERS) $(PERF_PARTS:%=$(B)/obj/%) $(SIM_PARTS) $(MODEL_PARTS) $(CONFORM_PARTS) $(FUZZ_PARTS) $(MEMORY_PARTS)) \
         $(SOURCES:%.c=$(B)/obj/%.d) $(patsubst $(B)/tests/%,$(B)/obj/tests/%.d,$(TESTS) $(SIM) $(MODEL))

# ---- using ------------------------------------------------------------------------------

DEMO_PORT ?= 8080
run: all
	@echo "Open http://127.0.0.1:$(DEMO_PORT)/ in two tabs and choose two names. Ctrl-C ends it; the conversations stay in ./data."
	@$(B)/parleyd --demo --listen 127.0.0.1:$(DEMO_PORT) --data data

install: all
	install -d $(addprefix $(DESTDIR)$(PREFIX)/,bin lib/pkgconfig include)
	install -m 755 $(filter-out $(addprefix $(B)/,store-bench storm-bench floor-bench suite-bench micro-bench embed-example),$(PROGRAMS)) $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(HOST_LIB) $(DESTDIR)$(PREFIX)/lib
	install -m 644 src/parley.h $(DESTDIR)$(PREFIX)/include
	printf 'Name: parley\nDescription: a chat server inside another program\nVersion: %s\nCflags: -I%s/include\nLibs: -L%s/lib -lparley -pthread\n' \
	    $(VERSION) $(PREFIX) $(PREFIX) >$(DESTDIR)$(PREFIX)/lib/pkgconfig/parley.pc

# The source package, the same bytes whenever it is made of the same commit.
VERSION := $(shell sed -n 's/.*PARLEY_VERSION "\(.*\)"/\1/p' src/base/version.h)
dist:
	@mkdir -p build
	git ls-files -z | LC_ALL=C sort -z | tar --null -T - --transform 's,^,parley-$(VERSION)/,' --owner=0 --group=0 \
	    --numeric-owner --mtime=@0 --mode=go=rX,u+rw,a-s -cf - | gzip -9n >build/parley-$(VERSION).tar.gz

clean:
	rm -rf build

# ---- testing ----------------------------------------------------------------------------

# Everything, four times over: as released, under Address- and UBSan, under TSan, under Valgrind.
test: test-tools
	@tests/run all

# The unit and api tests of what is built for other C libraries and machines.
everywhere:
	@tests/run everywhere

# The budgets of the static server.
size:
	@tests/size

# One variant's programs and tests, for tests/run.
test-suite: $(PROGRAMS) $(TESTS) $(PERF) $(SIM) $(MODEL)

list-tests:
	@echo $(TESTS)

test-tools:
	@tests/install-tools

# RFC 6455, case by case, against ws-echo and /chat: a table. CASES=--full: no chop is left out.
conformance: $(PROGRAMS) $(CONFORM)
	@$(CONFORM) --table $(CASES)

# The store on a simulated disk that crashes and fails: any number of seeds, from any seed on.
SEEDS ?= 100000
FROM  ?= 1
JOBS  ?= $(shell nproc)
sim: $(SIM)
	$(SIM) --seeds $(SEEDS) --from $(FROM) --jobs $(JOBS)

# The whole server in this process, held against a model of PROTOCOL.md by random programs of users,
# devices, reconnects, restarts and crashes.
model: $(MODEL)
	$(MODEL) --seeds $(SEEDS) --from $(FROM) --jobs $(JOBS)

# libFuzzer on every target of tests/fuzz, TIME seconds each, or on TARGET alone; VARIANT=fuzzfast does
# without the sanitizers, for many more runs.
TIME         ?= 60
TARGET       ?=
FUZZ_VARIANT := $(if $(filter fuzz%,$(VARIANT)),$(VARIANT),fuzz)
fuzz:
	@$(MAKE) -s -j2 VARIANT=$(FUZZ_VARIANT) fuzz-programs
	@tests/fuzz/run build/$(FUZZ_VARIANT) $(TIME) $(TARGET)

fuzz-programs: $(FUZZ)

# The lines of src/ that the tests reach, file by file.
coverage:
	@tests/coverage

# kill -9 of the real server under load, with real files.
KILLS ?= 1000
crash: $(B)/parleyd $(B)/tests/api/crash
	CRASH_ROUNDS=$(KILLS) $(B)/tests/api/crash

# 10,000 connections of a server that ends; 1,000 disconnections while 100,000 messages flow.
scale: $(B)/parleyd $(B)/tests/api/drain $(B)/tests/api/devices
	DRAIN_CONNECTIONS=10000 $(B)/tests/api/drain
	DEVICES_MESSAGES=100000 $(B)/tests/api/devices

# Plants bugs in the store and in what clients see of the server; each must be found.
PLANT = CC='$(CC)' FLAGS='$(CPPFLAGS_ALL) $(CFLAGS_ALL)' LINK='$(LDFLAGS_ALL)'
mutants: $(SIM) $(MODEL)
	@$(PLANT) tests/model/mutants $(B)/obj/tests/model/main.o $(MODEL_PARTS) $(LIB)
	@$(PLANT) tests/sim/mutants $(B)/obj/tests/sim/store.o $(SIM_PARTS) $(LIB)

# parley beside other servers and the floor: a table, and build/bench/report.html. BENCH: further options.
bench: $(PROGRAMS)
	@bench/peers/install build/bench '$(CC)'
	@$(B)/suite-bench $(BENCH)

# What parley and other servers take: files, memory, time of a start. ROUNDS: starts of each.
footprint:
	@bench/peers/install build/bench '$(CC)'
	@bench/footprint $(ROUNDS)

# The parts of the core, each beside the plain way to do it. BENCH: further options.
microbench: $(B)/micro-bench
	@$(B)/micro-bench $(BENCH)

# What the store does on this disk, against SQLite, bare files and its goals. BENCH: further options.
bench-store: $(B)/store-bench $(B)/parleyd
	@$(B)/store-bench $(BENCH)

# Instruction counts of the core under callgrind, against those recorded.
$(PERF): $(PERF_PARTS:%=$(B)/obj/%) $(B)/obj/tests/perf/count.o $(LIB)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) -o $@ $^
perf-check: $(PERF)
	@tests/perf/check $(PERF)
perf-record: $(PERF)
	@tests/perf/check $(PERF) --record
# A pair of users beside idle connections, floods and readers that do not read. BENCH: further options.
bench-storm: $(B)/storm-bench $(B)/parleyd
	@$(B)/storm-bench $(BENCH)

# Socket.IO beside npm's socket.io, which tests/clients installs.
bench-socketio: $(B)/parleyd
	@npm ls --prefix tests/clients >/dev/null 2>&1 || npm install --prefix tests/clients --no-audit --no-fund --no-package-lock >/dev/null
	@PARLEYD=$(B)/parleyd node bench/socketio.mjs $(BENCH)

# A mixed load on a real server for TIME seconds; fails when memory, descriptors or latencies drift.
soak: $(B)/storm-bench $(B)/parleyd
	@$(B)/storm-bench --soak $(TIME) $(BENCH)

check:
	@CPPFLAGS_ALL='$(CPPFLAGS_ALL)' CFLAGS_ALL='$(CFLAGS_ALL)' tests/check $(FORMATTED)

help:
	@echo "make            the programs, in build/release/"
	@echo "make run        the demo on http://127.0.0.1:$(DEMO_PORT)/ (DEMO_PORT=N for another port)"
	@echo "make test       all tests, also under the sanitizers and Valgrind; installs cmocka if it may"
	@echo "make conformance the table of RFC 6455's cases, against ws-echo and /chat"
	@echo "make sim        SEEDS=100000 runs of the store, from seed FROM=1 on, on a simulated disk that crashes and fails"
	@echo "make model      SEEDS=100000 random programs of users and devices, from seed FROM=1 on, held against a model of the API"
	@echo "make scale      a server ends with 10000 connections; a device is lost 1000 times in 100000 messages"
	@echo "make soak       a mixed load on a real server for TIME=60 seconds; fails when anything grows"
	@echo "make crash      kill -9 of the real server under load, KILLS=1000 times"
	@echo "make mutants    plants bugs, which the simulation or the model must find"
	@echo "make bench      parley beside other servers and the floor, in 10 minutes; BENCH=--quick: does it run?"
	@echo "make footprint  files, memory and start of parley and of other servers, as a table"
	@echo "make microbench the core's parts, each beside the plain way to do it"
	@echo "make bench-store  the store's speed on this disk, beside SQLite; BENCH='--rounds 9' for options"
	@echo "make bench-storm  a pair of users beside 10000 idle ones, floods and readers that do not read"
	@echo "make bench-socketio  messages over Socket.IO, and idle connections, beside npm's socket.io"
	@echo "make fuzz       libFuzzer with the sanitizers, TIME=60 seconds a target; TARGET=NAME for one alone"
	@echo "make coverage   the lines of src/ that the tests reach; tests/coverage -v names the others"
	@echo "make perf-check counts the core's instructions under callgrind; perf-record writes what is right"
	@echo "make everywhere musl, i386, aarch64, armhf, riscv64 and s390x (big-endian): builds and tests each, sim and crashes too"
	@echo "make size       what the static server takes on the disk and in memory, beside its budgets"
	@echo "make check      format, static analysis, warnings as errors with gcc and clang"
	@echo "make install    to PREFIX ($(PREFIX)), below DESTDIR"
	@echo "make dist       build/parley-$(VERSION).tar.gz, which builds without git; tests/dist shows it"
	@echo "make clean      removes build/"
	@echo "VARIANT=V       release debug asan tsan coverage musl fuzz fuzzfast; each builds to build/V/"
	@echo "DEMO=0          leaves the web client out"
