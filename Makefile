# SPDX-License-Identifier: GPL-2.0
#
# The front door: nothing of shmzone is built, tested or installed by any other
# way in. Everything made lands in build/; kernels for the tests are kept in the
# user's cache (see selftests/vm/kernel).

.DEFAULT_GOAL := all
MAKEFLAGS += --no-print-directory

BUILD := $(CURDIR)/build
prefix ?= /usr/local
kernel = selftests/vm/kernel
run = selftests/vm/run

# The kernel to build the module for: "host" is the one KDIR's headers belong
# to, the others are those of the cache.
ifeq ($(origin KDIR),undefined)
KDIR := /lib/modules/$(shell uname -r)/build
KERNEL ?= $(if $(wildcard $(KDIR)/Makefile),host,6.1)
else
KERNEL := host
endif
vm_kernel = $(KERNEL:host=6.1)

# kbuild writes beside its sources, so each kernel gets a tree of links to them.
tree := $(BUILD)/kmod-$(KERNEL)
# Evaluated in recipes only: the cache may have to be filled first.
kdir = $(if $(filter host,$(KERNEL)),$(KDIR),$$($(kernel) path $(KERNEL)))
# Modules carry no debug information: a report names symbols without it.
kbuild = $(MAKE) -C "$$kdir" M=$(tree) W=1 $(if $(filter debug kcsan,$(KERNEL)),SHMZONE_DEBUG=y) CONFIG_DEBUG_INFO= CONFIG_DEBUG_INFO_BTF_MODULES= \
	$(if $(filter uml,$(KERNEL)),ARCH=um)

all: module lib ## build the module, the library and the tool

.PHONY: module
module: ## build the module for KERNEL=host|6.1|6.12|debug|kcsan|uml, or against KDIR=
	@mkdir -p $(tree)
	@kdir=$(kdir) && exec 9>$(tree)/.lock && flock 9 && \
	cp -rsf $(addprefix $(CURDIR)/,Kbuild kmod uapi) $(tree)/ && \
	find $(tree) -xtype l -delete && \
	$(kbuild) modules 9>&-

.PHONY: lib
lib: ## build the library and the tool
	@$(MAKE) -C userlib BUILD=$(BUILD)/userlib all

.PHONY: deps
deps: ## install the Debian packages needed; DEPS=no only names them
	@selftests/vm/deps $(if $(filter no,$(DEPS)),--no-install)

.PHONY: demo
demo: deps ## show it at work on real text, in a guest
	@$(MAKE) lib
	@source=$$($(kernel) path source) && \
	SHMZONE_COLOR=$$([ -t 1 ] && [ -z "$$NO_COLOR" ] && echo always || echo never) \
	$(run) --kernel $(vm_kernel) -- userlib/examples/demo.sh "$$source/Documentation"

.PHONY: test
test: deps ## run all tests, on three kernels; the last line counts them
	@selftests/layers

.PHONY: lint
lint: ## check the sources without running them
	@selftests/lint

.PHONY: host-test
host-test: lib ## test what needs no module as programs: the allocator's core, the locks
	@$(MAKE) -C selftests/host BUILD=$(BUILD)/host test
	@source=$$($(kernel) path source) && \
	$(MAKE) -C selftests BUILD=$(BUILD)/selftests KSRC="$$source" test-locks

.PHONY: fuzz
fuzz: ## fuzz the allocator's core as a program
	@$(MAKE) -C selftests/host BUILD=$(BUILD)/host fuzz

.PHONY: bench
bench: deps lib ## measure it beside other allocators; ROWS="PREFIX..." selects
	@$(MAKE) -s -C selftests/bench BUILD=$(BUILD)/bench JSON=$(BUILD)/bench.json run

.PHONY: kunit
kunit: ## run the KUnit suites in user-mode Linux
	@selftests/vm/kunit --kernel uml

.PHONY: selftests
selftests: lib ## build the programs the guests run
	@source=$$($(kernel) path source) && \
	$(MAKE) -C selftests BUILD=$(BUILD)/selftests KSRC="$$source" all

# These are where locks are watched and races sought, so let there be more than
# one lock. They are also the slowest by far.
watchful := $(filter debug kcsan,$(vm_kernel))
PARAMS ?= $(if $(watchful),shards=4)
vm-test: export SHMZONE_TEST_SECONDS ?= $(if $(watchful),1500,600)

.PHONY: vm-test
vm-test: selftests ## run the selftests in a guest of KERNEL=6.1|6.12|debug|kcsan
	@$(run) --kernel $(vm_kernel) --timeout 3600 --params "$(PARAMS)" --swap 64M -- \
		selftests/run-kselftests

.PHONY: torture
torture: deps ## fuzzing, races and soak at length; SECONDS=3600 each, PARTS="..." selects
	@SHMZONE_SECONDS=$(or $(SECONDS),3600) selftests/torture $(PARTS)

.PHONY: shell
shell: ## an interactive guest of KERNEL=6.1|6.12|debug with the module loaded
	@$(run) --kernel $(vm_kernel) --shell

.PHONY: install
install: ## install the library, headers and tool below DESTDIR and prefix
	@$(MAKE) -C userlib BUILD=$(BUILD)/userlib prefix=$(prefix) install

.PHONY: install-module
install-module: module ## install the module for the kernel it was built for, and its udev rule
	@kdir=$(kdir) && $(kbuild) $(if $(DESTDIR),INSTALL_MOD_PATH=$(DESTDIR)) modules_install
	@install -Dm644 kmod/60-shmzone.rules $(DESTDIR)/usr/lib/udev/rules.d/60-shmzone.rules

.PHONY: clean
clean: ## remove everything built here, but not the cached kernels
	@rm -rf $(BUILD)

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16
