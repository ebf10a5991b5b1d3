#!/usr/bin/env python3
# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""Builds one fuzz target: Fuzz/build.py NAME compiles Fuzz/Targets/NAME.swift and the modules that it imports.

Our modules are compiled anew with `-sanitize=fuzzer,address` into .build-fuzz; the other packages are linked as
`swift build --build-tests` left them in .build, so nothing is built twice. What is up to date stays.
"""

import glob
import json
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OUT = os.path.join(ROOT, ".build-fuzz")
BUILT = os.path.realpath(os.path.join(ROOT, ".build", "debug"))
FLAGS = ["-sanitize=fuzzer,address", "-O", "-g", "-swift-version", "6", "-parse-as-library", "-enable-testing"]
FLAGS += ["-package-name", "malla", "-wmo"]
for feature in ("ExistentialAny", "InternalImportsByDefault", "MemberImportVisibility"):
    FLAGS += ["-enable-upcoming-feature", feature]


def run(command, place=ROOT):
    """Runs a command; a compiler that links leaves the module that debug information needs in the folder it runs in."""
    outcome = subprocess.run(command, cwd=place, capture_output=True, text=True)
    if outcome.returncode != 0:
        sys.exit(f"{' '.join(command[:6])} ...\n{outcome.stdout}{outcome.stderr}")
    return outcome.stdout


def manifest():
    """The package's targets by name."""
    package = json.loads(run(["swift", "package", "--scratch-path", OUT, "dump-package"]))
    return {target["name"]: target for target in package["targets"]}


def folder(target):
    return os.path.join(ROOT, target.get("path") or f"Sources/{target['name']}")


def sources(target):
    """The Swift files of a target, without what it excludes."""
    base = folder(target)
    excluded = [os.path.join(base, name) for name in target["exclude"]]
    files = glob.glob(f"{base}/**/*.swift", recursive=True)
    return sorted(f for f in files if not any(f.startswith(e + "/") or f == e for e in excluded))


def dependencies(target):
    return [next(iter(d.values()))[0] for d in target["dependencies"] if "byName" in d or "target" in d]


def ordered(names, targets):
    """The modules and what they need, those that need nothing first."""
    order = []

    def visit(name):
        if name in order or name not in targets:
            return
        for needed in dependencies(targets[name]):
            visit(needed)
        order.append(name)

    for name in names:
        visit(name)
    return order


def age(file):
    return os.path.getmtime(file) if os.path.exists(file) else 0


def search_flags(targets):
    """Where the compiler finds our modules, those of other packages, and C."""
    flags = ["-I", OUT, "-I", f"{BUILT}/Modules"]
    maps = glob.glob(f"{BUILT}/*.build/module.modulemap")
    for link in glob.glob(f"{ROOT}/.build/checkouts/*"):
        maps += glob.glob(f"{link}/**/include*/**/module.modulemap", recursive=True)
    for file in maps:
        flags += ["-Xcc", f"-fmodule-map-file={file}"]
    for target in targets.values():
        if target["type"] == "system":
            flags += ["-I", folder(target)]
    return flags


def compile_module(name, target, flags, newest):
    """Compiles a module when a source, or a module below it, is newer; returns its object's age."""
    result = os.path.join(OUT, f"{name}.o")
    files = sources(target)
    if age(result) >= max([newest] + [age(f) for f in files]):
        return age(result)
    print(f"compiling {name}", flush=True)
    module = ["-emit-module", "-emit-module-path", os.path.join(OUT, f"{name}.swiftmodule")]
    run(["swiftc", "-c", "-module-name", name, *module, "-o", result, *FLAGS, *flags, *files])
    # The compiler leaves an object alone that would not change, and then it would seem out of date each time.
    os.utime(result)
    return age(result)


def others(ours):
    """An archive of the other packages' objects, as `swift build` left them."""
    archive = os.path.join(OUT, "others.a")
    objects = []
    for place in sorted(glob.glob(f"{BUILT}/*.build")):
        name = os.path.basename(place)[: -len(".build")]
        if name in ours or name.endswith(("Tests", "-tool")) or name.startswith(("malla", "generate_", "NIOTLSServer")):
            continue
        objects += glob.glob(f"{place}/**/*.o", recursive=True)
    if not objects:
        sys.exit("run `swift build --build-tests` first: the other packages are not built")
    if not os.path.exists(archive):
        with open(f"{OUT}/others.txt", "w", encoding="utf-8") as listing:
            listing.writelines(f"\"{file}\"\n" for file in objects)
        run(["ar", "qcs", archive, f"@{OUT}/others.txt"])
    return archive


def main():
    name = sys.argv[1]
    own = [f"{ROOT}/Fuzz/Targets/{name}.swift"] + sorted(glob.glob(f"{ROOT}/Fuzz/Support/*.swift"))
    if not os.path.exists(own[0]):
        known = sorted(os.path.basename(f)[:-6] for f in glob.glob(f"{ROOT}/Fuzz/Targets/*.swift"))
        sys.exit(f"there is no fuzz target '{name}'; there are: {', '.join(known)}")
    os.makedirs(OUT, exist_ok=True)
    targets = manifest()
    imports = set()
    for file in own:
        with open(file, encoding="utf-8") as text:
            imports |= set(re.findall(r"^(?:@testable )?(?:\w+ )?import (\w+)", text.read(), re.MULTILINE))
    flags = search_flags(targets)
    libraries = {
        "CCurl": "-lcurl", "CRabbitMQ": "-lrabbitmq", "CHiredis": "-lhiredis", "CPostgres": "-lpq",
        "CJemalloc": "-ljemalloc",
    }
    needed = ordered(sorted(imports & set(targets)), targets)
    newest, objects, links = 0, [], []
    for module in needed:
        if module in libraries:
            links.append(libraries[module])
            continue
        newest = max(newest, compile_module(module, targets[module], flags, newest))
        objects.append(os.path.join(OUT, f"{module}.o"))
    binary = os.path.join(OUT, f"fuzz-{name}")
    if age(binary) < max([newest] + [age(f) for f in own]):
        print(f"linking {name}", flush=True)
        named = ["-module-name", f"Fuzz_{name}", "-o", binary]
        run(["swiftc", *named, *FLAGS, *flags, *own, *objects, others(set(targets)), *links, "-lz"], place=OUT)
    print(binary)


main()
