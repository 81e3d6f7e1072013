# A signed repository on loopback, out of the distribution's own package with another version. Prints that version.
cd "$(mktemp -d)"
chmod 0755 .
apt-get download -qq pgbouncer >&2
dpkg-deb -R pgbouncer_*.deb package
sed -i 's/^Version: .*/&+lab1/' package/DEBIAN/control
mkdir -p dists/lab/main/binary-amd64 pool
dpkg-deb -b package pool/pgbouncer.deb >&2
{
    cat package/DEBIAN/control
    echo "Filename: pool/pgbouncer.deb"
    echo "Size: $(stat -c %s pool/pgbouncer.deb)"
    echo "SHA256: $(sha256sum pool/pgbouncer.deb | cut -d' ' -f1)"
    echo
} >dists/lab/main/binary-amd64/Packages
{
    echo "Origin: apt.postgresql.org"
    echo "Suite: lab"
    echo "Codename: lab"
    echo "Architectures: amd64"
    echo "Components: main"
    echo "Date: $(date -Ru)"
    echo "SHA256:"
    index=main/binary-amd64/Packages
    echo " $(sha256sum "dists/lab/$index" | cut -d' ' -f1) $(stat -c %s "dists/lab/$index") $index"
} >dists/lab/Release
export GNUPGHOME=$PWD/gnupg
mkdir -m 0700 gnupg
gpg --batch --quiet --passphrase '' --quick-generate-key lab@example.com rsa3072 sign 1d
gpg --batch --quiet --armor --export >key.asc
gpg --batch --quiet --clearsign --output dists/lab/InRelease dists/lab/Release
systemctl stop lab-repository 2>/dev/null || true
systemd-run --quiet --collect --unit=lab-repository python3 -m http.server --directory "$PWD" --bind 127.0.0.1 8099
sed -n 's/^Version: //p' package/DEBIAN/control
