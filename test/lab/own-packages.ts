// A repository of trivial packages on the lab host itself: apt's own answers, with no other host asked.

/** Run by sh on the host; then /root/index.sh makes the index and has apt read it. */
export const buildPackages = `
set -e
mkdir -p /srv/repo
cd /srv/repo
make() {
  d=$(mktemp -d)
  mkdir -p $d/DEBIAN $d/usr/share/$1
  chmod 755 $d
  printf 'Package: %s\\nVersion: %s\\nArchitecture: all\\nMaintainer: Lab <lab@example.org>\\nDescription: lab\\n%s' "$1" "$2" "$3" > $d/DEBIAN/control
  if [ -n "$4" ]; then printf '#!/bin/sh\\n%s\\n' "$4" > $d/DEBIAN/postinst; chmod 755 $d/DEBIAN/postinst; fi
  echo $2 > $d/usr/share/$1/version
  dpkg-deb --root-owner-group --build $d . > /dev/null
  rm -r $d
}
for version in 1.0 1.1 1.10 2.0; do make plumb-a $version; done
for version in 1.0 2.0; do
  make plumb-b 1:$version
  make plumb-lib $version
  make plumb-c $version 'Depends: plumb-lib
'
done
make plumb-old 1.0 'Depends: plumb-lib (<< 2)
'
make plumb-bad 1.0 '' '[ -e /run/ready ] || { echo no ready file >&2; exit 1; }'
make plumb-kill 1.0
make plumb-kill 2.0 '' '[ -e /run/killed ] || { touch /run/killed; kill -9 $PPID; sleep 1; }'
rm /etc/apt/sources.list.d/*
echo 'deb [trusted=yes] file:/srv/repo ./' > /etc/apt/sources.list.d/lab.list
cat > /root/index.sh <<'END'
set -e
cd /srv/repo
for deb in *.deb; do
  [ "$deb" != "$1" ] || continue
  dpkg-deb --field $deb
  echo "Filename: ./$deb"
  echo "Size: $(stat -c %s $deb)"
  echo "SHA256: $(sha256sum $deb | cut -d' ' -f1)"
  echo
done > Packages
apt-get -q update
END
`
