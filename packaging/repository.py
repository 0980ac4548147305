#!/usr/bin/env python3
"""Makes a signed repository of the packages that there are: `./dev package repository --key KEY` calls it.

    repository.py --key FILE|FINGERPRINT --packages DIR --version V --out DIR

    OUT/holdfast.gpg, holdfast.asc     the public key, as apt and gpgv want it and as rpm does
    OUT/deb     for apt: every .deb of the version V, by architecture, under one signed InRelease
    OUT/rpm     for dnf and zypper: every .rpm with its signature, under one signed repomd.xml
    OUT/tar     every archive, under one signed SHA256SUMS

KEY is a file with a secret key, which is read into a key ring of this run alone, or the fingerprint of one in the caller's own
key ring or on a card. OUT appears when it is whole; what was there before is gone then. Why so: docs/decisions/0120.
"""
import argparse
import contextlib
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

SUITE, COMPONENT = "stable", "main"


def run(*words, **more):
    done = subprocess.run([str(w) for w in words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, **more)
    if done.returncode != 0:
        raise SystemExit(f"{words[0]} failed (status {done.returncode}):\n{done.stderr.decode(errors='replace')[-2000:]}")
    return done.stdout


class Signer:
    def __init__(self, home, fingerprint):
        self.home, self.fingerprint = home, fingerprint

    @classmethod
    @contextlib.contextmanager
    def of(cls, key):
        if not pathlib.Path(key).is_file():
            yield cls(None, key)
            return
        with tempfile.TemporaryDirectory(prefix="holdfast-sign-") as home:  # 0700
            signer = cls(home, None)
            signer.gpg("--import", key)
            listed = signer.gpg("--with-colons", "--list-secret-keys").decode().splitlines()
            found = [line.split(":")[9] for before, line in zip(listed, listed[1:])
                     if before.startswith("sec:") and line.startswith("fpr:")]
            if len(found) != 1:
                raise SystemExit(f"{key}: holds {len(found)} secret keys, not one")
            try:
                yield cls(home, found[0])
            finally:
                subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False)

    def gpg(self, *words, **more):
        home = ["--homedir", self.home] if self.home else []
        return run("gpg", *home, "--batch", "--quiet", *words, **more)

    def sign(self, how, source, target):
        self.gpg("--local-user", self.fingerprint, "--digest-algo", "SHA512", "--armor", "--output", target, how, source)

    def write_public(self, out):
        minimal = ("--export-options", "export-minimal")
        (out / "holdfast.gpg").write_bytes(self.gpg(*minimal, "--export", self.fingerprint))
        (out / "holdfast.asc").write_bytes(self.gpg(*minimal, "--armor", "--export", self.fingerprint))

    def sign_rpm(self, package):
        home = ["--define", f"_gpg_path {self.home}"] if self.home else []
        # Debian's rpm asks for gpg2, a name that Debian's gnupg no longer has.
        run("rpmsign", *home, "--define", f"__gpg {shutil.which('gpg')}", "--define", f"_gpg_name {self.fingerprint}",
            "--define", "_gpg_digest_algo sha512", "--addsign", package)


def copy(files, folder):
    folder.mkdir(parents=True)
    for file in files:
        shutil.copyfile(file, folder / file.name)


def make_deb(files, out, signer):
    copy(files, out / "pool")
    architectures = sorted({run("dpkg-deb", "-f", f, "Architecture").decode().strip() for f in files})
    for arch in architectures:
        folder = out / f"dists/{SUITE}/{COMPONENT}/binary-{arch}"
        folder.mkdir(parents=True)
        (folder / "Packages").write_bytes(run("apt-ftparchive", "--arch", arch, "packages", "pool", cwd=out))
        run("xz", "--keep", folder / "Packages")
    fields = {"Origin": "Holdfast", "Label": "Holdfast", "Suite": SUITE, "Codename": SUITE, "Components": COMPONENT,
              "Architectures": " ".join(architectures)}
    words = [w for key, value in fields.items() for w in ("-o", f"APT::FTPArchive::Release::{key}={value}")]
    release = run("apt-ftparchive", *words, "release", out / f"dists/{SUITE}")
    (out / f"dists/{SUITE}/Release").write_bytes(release)
    signer.sign("--clearsign", out / f"dists/{SUITE}/Release", out / f"dists/{SUITE}/InRelease")
    (out / f"dists/{SUITE}/Release").unlink()  # InRelease holds it; apt has known that since 2009


def make_rpm(files, out, signer):
    copy(files, out)
    for package in sorted(out.iterdir()):
        signer.sign_rpm(package)
    run("createrepo_c", "--quiet", "--no-database", out)
    signer.sign("--detach-sign", out / "repodata/repomd.xml", out / "repodata/repomd.xml.asc")


def make_tar(files, out, signer):
    copy(files, out)
    lines = [f"{hashlib.sha256(f.read_bytes()).hexdigest()}  {f.name}\n" for f in sorted(out.iterdir())]
    (out / "SHA256SUMS").write_text("".join(lines))
    signer.sign("--detach-sign", out / "SHA256SUMS", out / "SHA256SUMS.asc")


KINDS = (("deb", "*_{}_*.deb", make_deb), ("rpm", "*-{}-*.rpm", make_rpm), ("tar", "*-{}-*.tar.gz", make_tar))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--key", required=True)
    parser.add_argument("--packages", type=pathlib.Path, required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    os.umask(0o022)
    out = arguments.out.resolve()
    made = out.with_name(out.name + ".new")
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    with Signer.of(arguments.key) as signer:
        signer.write_public(made)
        for name, pattern, make in KINDS:
            files = sorted(arguments.packages.glob(pattern.format(arguments.version)))
            if files:
                make(files, made / name, signer)
                print(f"  {name}: {len(files)} packages")
    if not any((made / name).exists() for name, *_ in KINDS):
        raise SystemExit(f"{arguments.packages} holds no package of version {arguments.version}: ./dev package agent")
    shutil.rmtree(out, ignore_errors=True)
    made.rename(out)
    print(f"  {out}")


if __name__ == "__main__":
    sys.exit(main())
