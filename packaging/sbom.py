"""What a package is made of: an SPDX list, and the licences of all that is linked into it."""
import hashlib
import json
import pathlib
import re
import subprocess

# From the compiler without being named on the link line.
ALWAYS = ("libc.a", "libstdc++.a", "libgcc.a", "libgcc_eh.a")


class Part:
    def __init__(self, name, version, licence_file=None, linked="STATIC_LINK"):
        self.name, self.version, self.licence_file, self.linked = name, version, licence_file, linked

    def __lt__(self, other):
        return self.name < other.name


def owner(path):
    """The distribution's package that a library came with, and its version."""
    real = pathlib.Path(path).resolve()
    for tree in real.parents:
        if tree.name.startswith("sysroot-"):  # toolchains/fetch_sysroot.sh
            return of_sysroot(tree, real)
    for candidate in (str(path), str(real), re.sub(r"^/usr/lib/", "/lib/", str(real)), re.sub(r"^/lib/", "/usr/lib/", str(real))):
        said = subprocess.run(["dpkg-query", "-S", candidate], capture_output=True, text=True, check=False)
        if said.returncode == 0:
            package = said.stdout.split(": ")[0].split(",")[0]
            version = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True,
                                     text=True, check=True).stdout
            plain = package.split(":")[0]
            return Part(plain, version, f"/usr/share/doc/{plain}/copyright")
    return None


SOURCES = pathlib.Path(__file__).resolve().parent.parent / "build/sources"
# Which of fetch_sysroot.sh's packages an archive is in.
SYSROOT_PACKAGES = {"libgmp": "libgmp-dev", "libmbed": "libmbedtls-dev", "libprotobuf": "libprotobuf-dev",
                    "libnettle": "nettle-dev", "libhogweed": "nettle-dev", "libyara": "libyara-dev", "libmagic": "libmagic-dev",
                    "libcrypto": "libssl-dev"}


def of_sysroot(tree, path):
    package = next(name for start, name in SYSROOT_PACKAGES.items() if path.name.startswith(start))
    versions = dict(line.split(" ", 1) for line in (tree / "packages").read_text().splitlines())
    return Part(package, versions[package], tree / f"usr/share/doc/{package}/copyright")


def linked_statically(link_line):
    words = pathlib.Path(link_line).read_text().split()
    compiler = next(w for w in words if re.search(r"(g\+\+|c\+\+)(-\d+)?$", w))
    names = {f"lib{w[2:]}.a" for w in words if w.startswith("-l")} | {w for w in words if re.match(r"/.*\.a$", w)}
    folders = [pathlib.Path(w[2:]) for w in words if w.startswith("-L")]
    for name in sorted(names | set(ALWAYS)):
        found = next((str(folder / name) for folder in folders if (folder / name).exists()), name)
        if not found.startswith("/"):
            found = subprocess.run([compiler, f"-print-file-name={name}"], capture_output=True, text=True,
                                   check=True).stdout.strip()
        part = owner(found)
        if part is None and "/" in found:
            raise SystemExit(f"no package owns {found}, which is linked into it")
        if part:
            yield part


def own_sqlite():
    source = SOURCES / "sqlite3"
    version = re.match(r"sqlite3 \((\S+)\)", (source / "debian/changelog").read_text(encoding="utf-8"))
    return Part("sqlite3 (built here, with what toolchains/cmake/own_sqlite.cmake leaves in)",
                version[1] if version else "unknown", source / "debian/copyright")


def own_libwebsockets():
    source = SOURCES / "libwebsockets"
    version = re.search(r'VERSION_MAJOR "?(\d+)"?\).*?VERSION_MINOR "?(\d+)"?\).*?VERSION_PATCH_NUMBER "?(\d+)',
                        (source / "CMakeLists.txt").read_text(), re.S)
    return Part("libwebsockets (built here, changed by toolchains/tune_libwebsockets.sh)",
                ".".join(version.groups()) if version else "unknown", source / "LICENSE")


def hiredis():
    """Linked into the backend (toolchains/cmake/vendors.cmake), where the distribution has it as an archive."""
    said = subprocess.run(["dpkg-query", "-L", "libhiredis-dev"], capture_output=True, text=True, check=False).stdout
    archives = [line for line in said.splitlines() if line.endswith("/libhiredis.a")]
    return [owner(archives[0])] if archives else []


def loaded(programs):
    for program in programs:
        said = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
        for path in re.findall(r"=> (/\S+)", said):
            part = owner(path)
            if part:
                part.linked = "DYNAMIC_LINK"
                yield part


def parts(kind, link_line, programs):
    if kind == "agent":
        found = [*linked_statically(link_line), own_libwebsockets(), own_sqlite()]
    elif kind == "yara":
        found = linked_statically(link_line)
    elif kind == "sdk":
        found = [own_libwebsockets()]
    else:
        found = [*loaded([p for p in programs if p.name in ("holdfastd", "holdfast", "holdfast-fleet")]),
                 *hiredis(), own_libwebsockets()]
    return sorted({part.name: part for part in found}.values())


def spdx(name, arguments, found):
    def package(index, part_name, version):
        return {"SPDXID": f"SPDXRef-{index}", "name": part_name, "versionInfo": version,
                "downloadLocation": "NOASSERTION", "filesAnalyzed": False,
                "licenseConcluded": "NOASSERTION", "licenseDeclared": "NOASSERTION", "copyrightText": "NOASSERTION"}

    packages = [package(0, name, arguments.version)]
    packages += [package(i + 1, part.name, part.version) for i, part in enumerate(found)]
    seed = hashlib.sha256(json.dumps(packages, sort_keys=True).encode()).hexdigest()
    when = subprocess.run(["date", "-u", "-d", f"@{arguments.epoch}", "+%Y-%m-%dT%H:%M:%SZ"], capture_output=True,
                          text=True, check=True).stdout.strip()
    document = {
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"{name}-{arguments.version}-{arguments.arch}",
        "documentNamespace": f"urn:holdfast:spdx:{seed[:32]}",
        "creationInfo": {"created": when, "creators": ["Tool: holdfast package.py"]},
        "packages": packages,
        "relationships": [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES",
                           "relatedSpdxElement": "SPDXRef-0"}] + [
            {"spdxElementId": "SPDXRef-0", "relationshipType": part.linked, "relatedSpdxElement": f"SPDXRef-{i + 1}"}
            for i, part in enumerate(found)],
    }
    return (json.dumps(document, indent=1) + "\n").encode()


def licences(name, found):
    how = "linked into or loaded by" if name == "holdfast-backend" else "linked into"
    what = "its library" if name == "libholdfast-dev" else "its programs"
    out = [f"{name} is part of Holdfast.\n\nBelow: the copyright notices and licences of what is {how} {what}.\n"]
    for part in found:
        if not part.licence_file or not pathlib.Path(part.licence_file).exists():
            raise SystemExit(f"the licence of {part.name} is not in {part.licence_file}, so {name} cannot be given to anybody")
        text = pathlib.Path(part.licence_file).read_text(encoding="utf-8", errors="replace")
        out.append(f"\n{'=' * 78}\n{part.name} {part.version}\n{'=' * 78}\n{text}")
    return "".join(out).encode()
