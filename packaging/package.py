#!/usr/bin/env python3
"""Makes the packages: `./dev package agent|yara|backend|sdk` calls it with release binaries.

    package.py agent|yara|backend|sdk --bin DIR --version V --arch ARCH --out DIR --link-line FILE [--formats deb,tar,rpm]

Two runs over the same binaries make the same bytes: every time in a package is SOURCE_DATE_EPOCH, every owner root,
every list sorted. Prints the path and the size of each package. What is in them: docs/operations/install.md.
"""
import argparse
import gzip
import io
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import time

import sbom

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
MAINTAINER = "Holdfast <maintainers@holdfast.invalid>"

AGENT_ABOUT = """endpoint agent of the Holdfast remote response system
 Keeps one link over TLS to its fleet's backend and runs the commands that an
 operator of the fleet has signed: forensic questions and responses. It listens
 on no port. It does nothing before it is enrolled."""
YARA_ABOUT = """YARA for the endpoint agent of Holdfast
 holdfast-agent starts this program for each `holdfast scan`: it looks through
 files and the memory of processes by YARA rules. It runs as nobody, can open
 nothing by itself, and does nothing on its own."""
BACKEND_ABOUT = """backend and command line of the Holdfast remote response system
 holdfastd holds the links of the agents, keeps the ledger and the results;
 holdfast is the analysts' tool; holdfast-fleet simulates agents."""
SDK_ABOUT = """library for programs that command a Holdfast fleet (development files)
 libholdfast is what the tool holdfast is made of: it finds endpoints, signs
 commands with an operator's key, follows them and verifies what comes back.
 Headers, a static library, a pkg-config file and an example."""


class Tree:
    """What a package installs: path -> (bytes, mode)."""

    def __init__(self, epoch):
        self.files, self.epoch = {}, epoch

    def add(self, path, source, mode=0o644):
        data = source if isinstance(source, bytes) else pathlib.Path(source).read_bytes()
        self.files[path] = (data, mode)

    def add_manual(self, page):
        source = ROOT / "docs/man" / page
        packed = gzip.compress(source.read_bytes(), 9, mtime=0)
        self.add(f"usr/share/man/man{page[-1]}/{page}.gz", packed)

    def directories(self):
        out = set()
        for path in self.files:
            out |= {str(p) for p in pathlib.PurePosixPath(path).parents if str(p) != "."}
        return sorted(out)

    def write(self, where):
        for path, (data, mode) in self.files.items():
            target = where / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
            target.chmod(mode)
        for folder, _, names in os.walk(where):
            os.chmod(folder, 0o755)
            for name in names:
                os.utime(os.path.join(folder, name), (self.epoch, self.epoch))
            os.utime(folder, (self.epoch, self.epoch))

    def kib(self):
        return sum((len(data) + 1023) // 1024 for data, _ in self.files.values()) + len(self.directories()) * 4


def agent_tree(arguments):
    tree = Tree(arguments.epoch)
    tree.add("usr/sbin/holdfast-agent", arguments.bin / "holdfast-agent", 0o755)
    for unit in ("holdfast-agent.service", "holdfast-agent.path", "holdfast-agent-enrol.service",
                 "holdfast-agent-enrol.path", "holdfast-agent-isolation.service"):
        tree.add(f"usr/lib/systemd/system/{unit}", HERE / "agent" / unit)
    tree.add("etc/init.d/holdfast-agent", HERE / "agent/holdfast-agent.init", 0o755)
    tree.add("etc/logrotate.d/holdfast-agent", HERE / "agent/holdfast-agent.logrotate")
    tree.add_manual("holdfast-agent.8")
    tree.add("usr/share/bash-completion/completions/holdfast-agent", ROOT / "docs/completion/holdfast-agent.bash")
    return tree


def yara_tree(arguments):
    tree = Tree(arguments.epoch)
    # Where the agent looks for it, besides its own directory (agent/verbs/scanner_process.cc).
    tree.add("usr/libexec/holdfast/holdfast-agent-yara", arguments.bin / "holdfast-agent-yara", 0o755)
    return tree


def backend_tree(arguments):
    tree = Tree(arguments.epoch)
    for program in ("holdfastd", "holdfast", "holdfast-fleet"):
        tree.add(f"usr/bin/{program}", arguments.bin / program, 0o755)
    for unit in ("holdfastd.service", "holdfastd.path"):
        tree.add(f"usr/lib/systemd/system/{unit}", HERE / "backend" / unit)
    tree.add("usr/lib/sysctl.d/60-holdfast.conf", HERE / "backend/60-holdfast.conf")
    examples = "usr/share/doc/holdfast-backend/examples"
    tree.add(f"{examples}/limits.conf", HERE / "backend/limits.conf")
    for file in sorted((HERE / "proxies").iterdir()):
        tree.add(f"{examples}/proxies/{file.name}", file)
    for page in ("holdfastd.8", "holdfast.1", "holdfast-fleet.8"):
        tree.add_manual(page)
    tree.add("usr/share/bash-completion/completions/holdfastd", ROOT / "docs/completion/holdfastd.bash")
    words = subprocess.run([arguments.bin / "holdfast", "completion", "bash"], capture_output=True, check=True)
    tree.add("usr/share/bash-completion/completions/holdfast", words.stdout)
    return tree


# Where a program of one's own begins; what these include comes along.
SDK_ROOTS = ("common/adapters/openssl/openssl_crypto.h", "common/adapters/openssl/openssl_sealing.h",
             "common/base/untrusted.h", "common/base/log_line.h")


def sdk_headers(build):
    """{path below the include folder: file}: the SDK's headers, and all of ours that these include."""
    found, left = {}, [str(p.relative_to(ROOT)) for p in (ROOT / "backend/sdk").glob("*.h")] + list(SDK_ROOTS)
    while left:
        name = left.pop()
        if name in found:
            continue
        source = next((p for p in (ROOT / name, build / "proto/generated" / name) if p.exists()), None)
        if source is None:
            raise SystemExit(f"no such header: {name}")
        found[name] = source
        left += re.findall(r'(?m)^#include "((?:backend|common|holdfast)/[^"]+)"', source.read_text())
    return found


def sdk_archive(build, link_line, work):
    """One archive of all that the tool holdfast is linked from, but its own command line."""
    words = [w for w in pathlib.Path(link_line).read_text().split() if w.endswith(".a")]
    ours = [build / w for w in dict.fromkeys(words) if (build / w).resolve().is_relative_to(build.resolve())]
    ours = [a for a in ours if a.name != "libholdfast_backend_cli.a"]
    work.mkdir(parents=True, exist_ok=True)
    target = work / "libholdfast.a"
    target.unlink(missing_ok=True)
    # The names of archives in a script must not hold a '+' or a '-' at odd places: links with plain names.
    lines = [f"CREATE {target.name}"]
    for number, archive in enumerate(ours):
        link = work / f"part{number}.a"
        link.unlink(missing_ok=True)
        link.symlink_to(archive.resolve())
        lines.append(f"ADDLIB {link.name}")
    script = "\n".join([*lines, "SAVE", "END", ""])
    subprocess.run(["ar", "-M"], input=script, text=True, cwd=work, check=True)
    subprocess.run(["strip", "--strip-debug", "--enable-deterministic-archives", target], check=True)
    # What the tool is linked with --wrap for (common/adapters/lws/lws_dial_hooks.h) is bound here, within the archive: a
    # program that links it keeps its own.
    wrapped = re.findall(r"-Wl,--wrap=(\w+)", pathlib.Path(link_line).read_text())
    renamed = [f"--redefine-sym={name}={to}" for word in dict.fromkeys(wrapped)
               for name, to in ((word, f"__wrap_{word}"), (f"__real_{word}", word))]
    subprocess.run(["objcopy", "--enable-deterministic-archives", *renamed, target], check=True)
    return target


def sdk_tree(arguments):
    tree = Tree(arguments.epoch)
    build = arguments.bin.parent
    for name, source in sdk_headers(build).items():
        tree.add(f"usr/include/holdfast/{name}", source)
    triplet = subprocess.run(["dpkg-architecture", f"-a{arguments.arch}", "-qDEB_HOST_MULTIARCH"], capture_output=True,
                             text=True, check=True).stdout.strip()
    tree.add(f"usr/lib/{triplet}/libholdfast.a", sdk_archive(build, arguments.link_line, arguments.out / "sdk"))
    pc = (HERE / "sdk/libholdfast.pc").read_text().replace("@VERSION@", arguments.version).replace("@TRIPLET@", triplet)
    tree.add(f"usr/lib/{triplet}/pkgconfig/libholdfast.pc", pc.encode())
    tree.add("usr/share/doc/libholdfast-dev/examples/ask.cc", ROOT / "docs/examples/ask.cc")
    tree.add("usr/share/doc/libholdfast-dev/sdk.md", ROOT / "docs/sdk.md")
    return tree


KINDS = {
    "agent": ("holdfast-agent", agent_tree, AGENT_ABOUT),
    "yara": ("holdfast-agent-yara", yara_tree, YARA_ABOUT),
    "backend": ("holdfast-backend", backend_tree, BACKEND_ABOUT),
    "sdk": ("libholdfast-dev", sdk_tree, SDK_ABOUT),
}


def libraries(binaries, sysroot):
    """What the backend's programs load, as the distribution's packages with their least versions."""
    work = ROOT / "build/packages/shlibdeps"
    shutil.rmtree(work, ignore_errors=True)
    (work / "debian").mkdir(parents=True)
    (work / "debian/control").write_text("Source: holdfast\n\nPackage: holdfast-backend\nArchitecture: any\n")
    words = ["dpkg-shlibdeps", "-O", *[f"-e{b}" for b in binaries]]
    if sysroot:
        words.append(f"-l{sysroot}/usr/lib")
    said = subprocess.run(words, cwd=work, capture_output=True, text=True, check=True).stdout
    return re.search(r"shlibs:Depends=(.*)", said)[1]


def control_fields(name, about, tree, arguments):
    fields = [("Package", name), ("Version", arguments.version), ("Architecture", arguments.arch),
              ("Maintainer", MAINTAINER), ("Installed-Size", str(tree.kib())),
              ("Section", "libdevel" if name == "libholdfast-dev" else "admin"), ("Priority", "optional")]
    if name == "libholdfast-dev":
        fields += [("Depends", "libprotobuf-dev (>= 3.21), libssl-dev (>= 3.0), libyaml-dev, zlib1g-dev"), ("Suggests", "pkgconf, holdfast-backend")]
    elif name == "holdfast-agent":
        # useradd, start-up; the program itself needs nothing.
        fields += [("Depends", "passwd, init-system-helpers (>= 1.54)"), ("Recommends", "ca-certificates")]
    elif name == "holdfast-agent-yara":
        # The two speak a protocol of their own: they come from one build.
        fields += [("Depends", f"holdfast-agent (= {arguments.version})"), ("Enhances", "holdfast-agent")]
    else:
        programs = [arguments.bin / p for p in ("holdfastd", "holdfast", "holdfast-fleet")]
        fields += [("Depends", "passwd, init-system-helpers (>= 1.54), " + libraries(programs, None)),
                   ("Recommends", "redis-server")]
    return "".join(f"{key}: {value}\n" for key, value in fields) + f"Description: {about}\n"


def make_deb(kind, name, about, tree, arguments):
    stage = arguments.out / "stage" / f"{name}_{arguments.arch}"
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True)
    debian = stage / "DEBIAN"
    debian.mkdir()
    (debian / "control").write_text(control_fields(name, about, tree, arguments))
    for script in sorted((HERE / kind / "debian").glob("*")):
        (debian / script.name).write_text(script.read_text().replace("@VERSION@", arguments.version))
        (debian / script.name).chmod(0o755)
    conffiles = [f"/{path}\n" for path in sorted(tree.files) if path.startswith("etc/")]
    if conffiles:
        (debian / "conffiles").write_text("".join(conffiles))
    tree.write(stage)
    sums = "".join(f"{digest(data)}  {path}\n" for path, (data, _) in sorted(tree.files.items())
                   if not path.startswith("etc/"))
    (debian / "md5sums").write_text(sums)
    for path in debian.iterdir():
        os.utime(path, (arguments.epoch, arguments.epoch))
    target = arguments.out / f"{name}_{arguments.version}_{arguments.arch}.deb"
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", "-Zxz", "-z9", stage, target], check=True,
                   stdout=subprocess.DEVNULL, env=os.environ | {"SOURCE_DATE_EPOCH": str(arguments.epoch)})
    return target


def digest(data):
    import hashlib
    return hashlib.md5(data, usedforsecurity=False).hexdigest()  # as dpkg wants it; it proves nothing


def make_tar(kind, name, tree, arguments):
    """For every other distribution: the same files and an installer."""
    top = f"{name}-{arguments.version}-{arguments.arch}"
    target = arguments.out / f"{top}.tar.gz"
    entries = dict(tree.files)
    for extra in ("install.sh", "uninstall.sh"):
        entries[extra] = ((HERE / kind / extra).read_bytes().replace(b"@VERSION@", arguments.version.encode()), 0o755)
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(entries):
            data, mode = entries[path]
            info = tarfile.TarInfo(f"{top}/{path}")
            info.size, info.mode, info.mtime = len(data), mode, arguments.epoch
            info.uname = info.gname = "root"
            tar.addfile(info, io.BytesIO(data))
    target.write_bytes(gzip.compress(raw.getvalue(), 9, mtime=0))
    return target


RPM_ARCH = {"amd64": "x86_64", "arm64": "aarch64"}


def make_rpm(kind, name, about, tree, arguments):
    arch = RPM_ARCH[arguments.arch]
    work = arguments.out / "rpm"
    shutil.rmtree(work, ignore_errors=True)
    files = work / "files"
    files.mkdir(parents=True)
    tree.write(files)
    shutil.rmtree(files / "etc", ignore_errors=True)  # an init script and what rotates its log: there is systemd
    listed = "".join(f"%attr({mode:04o},root,root) /{path}\n"
                     for path, (_, mode) in sorted(tree.files.items()) if not path.startswith("etc/"))
    spec = (HERE / kind / f"{name}.spec").read_text()
    summary, _, text = about.partition("\n")
    when = time.strftime("%a %b %d %Y", time.gmtime(arguments.epoch))  # of the C locale, as nobody sets another
    for key, value in (("@VERSION@", arguments.version), ("@FILES@", listed), ("@TREE@", str(files)), ("@DATE@", when),
                       ("@PACKAGER@", MAINTAINER), ("@SUMMARY@", summary[0].upper() + summary[1:]),
                       ("@ABOUT@", re.sub(r"(?m)^ ", "", text))):
        spec = spec.replace(key, value)
    (work / f"{name}.spec").write_text(spec)
    subprocess.run(["rpmbuild", "-bb", "--target", arch, "--define", f"_topdir {work}",
                    "--define", "_build_id_links none", "--define", "_buildhost holdfast",
                    "--define", "use_source_date_epoch_as_buildtime 1", "--define", "clamp_mtime_to_source_date_epoch 1",
                    "--define", "_binary_payload w9.xzdio", work / f"{name}.spec"],
                   check=True, capture_output=True, env=os.environ | {"SOURCE_DATE_EPOCH": str(arguments.epoch)})
    (made,) = (work / "RPMS").rglob("*.rpm")
    target = arguments.out / made.name
    shutil.move(made, target)
    shutil.rmtree(work)
    return target


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--arch", required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--link-line", type=pathlib.Path, help="how the agent was linked, for its list of parts")
    parser.add_argument("--formats", default="deb,tar")
    arguments = parser.parse_args()
    arguments.bin, arguments.out = arguments.bin.resolve(), arguments.out.resolve()
    arguments.epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    os.umask(0o022)
    arguments.out.mkdir(parents=True, exist_ok=True)
    name, build, about = KINDS[arguments.kind]
    tree = build(arguments)
    parts = sbom.parts(arguments.kind, arguments.link_line, [arguments.bin / p for p in os.listdir(arguments.bin)])
    doc = f"usr/share/doc/{name}"
    tree.add(f"{doc}/{name}.spdx.json", sbom.spdx(name, arguments, parts))
    tree.add(f"{doc}/copyright", sbom.licences(name, parts))
    when = subprocess.run(["date", "-u", "-R", "-d", f"@{arguments.epoch}"], capture_output=True, text=True,
                          check=True, env=os.environ | {"LC_ALL": "C"}).stdout
    tree.add(f"{doc}/changelog.gz", gzip.compress(
        (f"{name} ({arguments.version}) stable; urgency=low\n\n  * Release {arguments.version}.\n\n"
         f" -- {MAINTAINER}  {when}").encode(), 9, mtime=0))
    overrides = HERE / arguments.kind / "lintian-overrides"
    if overrides.exists():
        tree.add(f"usr/share/lintian/overrides/{name}", overrides)
    made = []
    formats = arguments.formats.split(",")
    if "deb" in formats:
        made.append(make_deb(arguments.kind, name, about, tree, arguments))
    if "tar" in formats and arguments.kind == "agent":
        made.append(make_tar(arguments.kind, name, tree, arguments))
    if "rpm" in formats and arguments.kind in ("agent", "yara") and arguments.arch in RPM_ARCH:
        made.append(make_rpm(arguments.kind, name, about, tree, arguments))
    shutil.rmtree(arguments.out / "stage", ignore_errors=True)
    for target in made:
        print(f"  {target.relative_to(ROOT) if target.is_relative_to(ROOT) else target}  {target.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    sys.exit(main())
