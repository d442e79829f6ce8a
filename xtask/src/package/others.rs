//! The packages that hold what the deb holds: rpm, tarball, image.
//!
//! I/O: target/package; runs dpkg-deb, tar, rpmbuild and buildah.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::made::Version;
use super::target::{Arch, Target};
use super::{WHAT, folder};
use crate::{setup, sh};

/// The files of a deb, in a folder.
fn unpacked(deb: &Path) -> Result<PathBuf> {
    let root = folder().join("root");
    sh::empty_folder(&root)?;
    sh::run_quietly(sh::command("dpkg-deb").arg("-x").arg(deb).arg(&root))?;
    // Of Debian alone.
    for file in ["usr/share/lintian", "usr/share/doc/socktrace/changelog.Debian.gz"] {
        let path = root.join(file);
        if path.is_dir() {
            fs::remove_dir_all(path)?;
        } else if path.exists() {
            fs::remove_file(path)?;
        }
    }
    Ok(root)
}

/// A tarball to be unpacked in `/`.
pub(super) fn tar(deb: &Path) -> Result<PathBuf> {
    let root = unpacked(deb)?;
    let to = deb.with_extension("tar.xz");
    let mut tar = sh::command("tar");
    tar.args(["--sort=name", "--owner=root:0", "--group=root:0", "--numeric-owner", "-C"]).arg(&root);
    sh::run_quietly(tar.arg("-cJf").arg(&to).arg("."))?;
    Ok(to)
}

/// An rpm. What dpkg's scripts do, rpm's macros of systemd do, written out: they are not everywhere where rpms are built.
pub(super) fn rpm(arch: Arch, deb: &Path, version: &Version) -> Result<PathBuf> {
    setup::packages(WHAT, &["rpm"])?;
    let root = unpacked(deb)?;
    let files = sh::read(
        sh::command("find").args([".", "(", "-type", "f", "-o", "-type", "l", ")"]).current_dir(&root),
    )?;
    let mut list: Vec<String> = files.lines().map(|file| listed(file.trim_start_matches('.'))).collect();
    list.sort();
    let spec = fs::read_to_string(sh::root().join("packaging/socktrace.spec"))?;
    let mut date = sh::command("date");
    date.args(["--utc", "+%a %b %d %Y", "--date"]).arg(format!("@{}", version.epoch())).env("LC_ALL", "C");
    let spec = spec.replace("@VERSION@", &version.rpm()).replace("@FILES@", &list.join("\n"));
    let spec = spec.replace("@DATE@", &sh::read(&mut date)?);
    let top = folder().join("rpm");
    fs::create_dir_all(&top)?;
    let spec_file = top.join("socktrace.spec");
    fs::write(&spec_file, spec)?;
    let mut build = sh::command("rpmbuild");
    build.args(["-bb", "--quiet", "--target", arch.machine()]);
    build.args(["--define", &format!("_topdir {}", top.display())]);
    build.args(["--define", &format!("staged {}", root.display())]);
    build.args(["--define", "_buildhost socktrace", "--define", "use_source_date_epoch_as_buildtime 1"]);
    build.args(["--define", "clamp_mtime_to_source_date_epoch 1", "--define", "_build_id_links none"]);
    sh::run_quietly(build.arg(&spec_file).env("SOURCE_DATE_EPOCH", version.epoch()))?;
    let name = format!("socktrace-{}-1.{}.rpm", version.rpm(), arch.machine());
    let to = folder().join(&name);
    fs::copy(top.join("RPMS").join(arch.machine()).join(name), &to)?;
    Ok(to)
}

/// A line of `%files`.
fn listed(file: &str) -> String {
    match file {
        _ if file.starts_with("/etc/") => format!("%config(noreplace) {file}"),
        _ if file.starts_with("/usr/share/man/") || file.starts_with("/usr/share/doc/") => {
            format!("%doc {file}")
        }
        _ => file.to_owned(),
    }
}

/// An OCI image: the program, the C library that it needs, and nothing else. As an archive that podman and docker load.
pub(super) fn image(arch: Arch, deb: &Path, version: &Version) -> Result<PathBuf> {
    setup::packages(WHAT, &["buildah"])?;
    let root = unpacked(deb)?;
    let context = folder().join("image");
    sh::empty_folder(&context)?;
    let program = context.join("root/usr/bin/socktrace");
    fs::create_dir_all(context.join("root/usr/bin"))?;
    fs::copy(root.join("usr/bin/socktrace"), program)?;
    let target = Target::of(arch)?;
    target.copy_libraries(&target.program(), &context.join("root"))?;
    let to = deb.with_extension("oci.tar");
    if to.exists() {
        fs::remove_file(&to)?;
    }
    let name = format!("localhost/socktrace:{}", version.rpm().replace('~', "-"));
    let mut buildah = sh::command("buildah");
    buildah.args([
        "build",
        "--quiet",
        "--storage-driver=vfs",
        "--isolation=chroot",
        "--arch",
        &arch.to_string(),
    ]);
    buildah.args(["--timestamp", &version.epoch(), "--tag", &name, "--file"]);
    buildah.arg(sh::root().join("packaging/Containerfile")).arg(&context);
    sh::run_quietly(&mut buildah)?;
    let mut push = sh::command("buildah");
    push.args(["push", "--quiet", "--storage-driver=vfs", &name]);
    sh::run_quietly(push.arg(format!("oci-archive:{}:{name}", to.display())))?;
    Ok(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rpm_knows_what_is_configuration_and_what_are_documents() {
        assert_eq!(listed("/etc/socktrace/agent.toml"), "%config(noreplace) /etc/socktrace/agent.toml");
        assert_eq!(listed("/usr/share/man/man1/socktrace.1.gz"), "%doc /usr/share/man/man1/socktrace.1.gz");
        assert_eq!(listed("/usr/bin/socktrace"), "/usr/bin/socktrace");
    }
}
