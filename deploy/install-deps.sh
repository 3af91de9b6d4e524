#!/bin/sh
# Installs what building, testing or linting Vitrine needs and is not there yet, on Debian 12 or 13, as root
# or with sudo. Presumed: Go 1.26, make, git. What is built from source goes to the user's cache folder.
#
# usage: deploy/install-deps.sh build|web|lint|test|vault ...
# vault, which nothing else asks for, builds HashiCorp's server for the tests that need a real one: ten minutes on two cores.
set -eu

NODE_AT_LEAST=20.19
NODE_PACKAGE=node@22
NPM_PACKAGE=npm@11
GOLANGCI_LINT=v2.15.0
PEBBLE=v2.8.0
VAULT=v1.19.0
MINIO_COMMIT=7aac2a2c5b7c
MINIO_MODULE=github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c

BUILD_PACKAGES="gcc libc6-dev pkg-config libx264-dev"
TEST_PACKAGES="chromium dbus-daemon ffmpeg fonts-dejavu-core gnome-remote-desktop imagemagick iproute2 krb5-admin-server
	krb5-kdc mutter openbox openssl pipewire postgresql procps python3-xlib remmina remmina-plugin-rdp rsyslog rsyslog-openssl slapd tesseract-ocr tesseract-ocr-eng tigervnc-standalone-server weston wireplumber
	x11-apps x11-utils x11-xserver-utils x11vnc xauth xclip xdotool xorgxrdp xrdp xsel xterm xvfb xwayland"
# FreeRDP's client, server and tools carry the number of their version.
# shellcheck source=/dev/null
case $(. /etc/os-release 2>/dev/null && echo "${ID:-} ${VERSION_ID:-}") in
"debian 12") TEST_PACKAGES="$TEST_PACKAGES freerdp2-dev freerdp2-shadow-x11 freerdp2-x11 winpr-utils" ;;
*) TEST_PACKAGES="$TEST_PACKAGES freerdp3-dev freerdp3-shadow-x11 freerdp3-x11 winpr3-utils" ;;
esac
# What those packages would have the machine run at each start. Tests start their own.
TEST_SERVICES="krb5-admin-server krb5-kdc postgresql rsyslog slapd xrdp xrdp-sesman"
# Debian asks this program before it starts a service; usually there is none.
POLICY=/usr/sbin/policy-rc.d

cache=${XDG_CACHE_HOME:-$HOME/.cache}/vitrine

say() { printf 'install-deps: %s\n' "$*" >&2; }
die() {
	say "$*"
	exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# apt_install NAME...: installs those Debian packages that are missing. No service that comes with them starts.
apt_install() {
	missing=
	for package in "$@"; do
		case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true) in
		*"ok installed") ;;
		*) missing="$missing $package" ;;
		esac
	done
	[ -n "$missing" ] || return 0
	have apt-get || die "please install these by hand (only Debian's apt-get is known here):$missing"
	if [ "$(id -u)" = 0 ]; then
		as_root="env DEBIAN_FRONTEND=noninteractive"
	elif have sudo; then
		as_root="sudo env DEBIAN_FRONTEND=noninteractive"
	else
		die "these Debian packages are missing and neither root nor sudo is to be had:$missing"
	fi
	say "installing$missing"
	ours=
	if [ ! -e "$POLICY" ]; then
		ours=yes
		trap '$as_root rm -f "$POLICY"' EXIT
		trap 'exit 1' HUP INT TERM
		printf '#!/bin/sh\nexit 101\n' | $as_root tee "$POLICY" >/dev/null
		$as_root chmod 755 "$POLICY"
	fi
	# shellcheck disable=SC2086 # lists of words
	$as_root apt-get update -q >&2
	# shellcheck disable=SC2086
	$as_root apt-get install -y -q --no-install-recommends $missing >&2
	if [ -n "$ours" ]; then
		$as_root rm -f "$POLICY"
		trap - EXIT HUP INT TERM
	fi
	for service in $TEST_SERVICES; do
		case " $missing " in
		*" ${service%-sesman} "*) ;;
		*) continue ;; # not of these packages
		esac
		# shellcheck disable=SC2086
		! have systemctl || $as_root systemctl disable --quiet "$service" >&2 || true
		# shellcheck disable=SC2086
		! have update-rc.d || $as_root update-rc.d "$service" disable >&2 || true
	done
}

# node_suffices NODE: whether that node is at least NODE_AT_LEAST.
node_suffices() {
	version=$("$1" --version 2>/dev/null) || return 1
	lowest=$(printf '%s\n%s\n' "$NODE_AT_LEAST" "${version#v}" | sort -V | head -n 1)
	[ "$lowest" = "$NODE_AT_LEAST" ]
}

# install_node puts node, npm and npx into $cache/node/bin unless a sufficient node with npm is on the PATH.
# Debian 12 carries Node 18; npm's own package `node` carries a current one.
install_node() {
	if have node && have npm && node_suffices node; then
		return 0
	fi
	if [ -x "$cache/node/bin/node" ] && node_suffices "$cache/node/bin/node"; then
		return 0
	fi
	have npm || apt_install npm
	say "installing $NODE_PACKAGE and $NPM_PACKAGE into $cache/node"
	rm -rf "$cache/node" # what an attempt that failed has left
	mkdir -p "$cache/node/bin"
	# Without --foreground-scripts npm 9 of Debian 12 can end in the midst of the package's own script.
	npm install --no-fund --no-audit --loglevel=error --foreground-scripts --prefix "$cache/node" "$NODE_PACKAGE" "$NPM_PACKAGE" >&2
	ln -sf ../node_modules/node/bin/node "$cache/node/bin/node"
	ln -sf ../node_modules/npm/bin/npm-cli.js "$cache/node/bin/npm"
	ln -sf ../node_modules/npm/bin/npx-cli.js "$cache/node/bin/npx"
	node_suffices "$cache/node/bin/node" || die "the node just installed does not run or is older than $NODE_AT_LEAST"
}

# go_install FOLDER MODULE@VERSION: builds a Go command once into $cache/bin/FOLDER.
go_install() {
	program=$cache/bin/$1/$(basename "${2%@*}")
	[ -x "$program" ] && return 0
	have go || die "Go 1.26 is presumed, but there is no go command"
	say "building $2 (once)"
	mkdir -p "$cache/bin/$1"
	GOBIN=$cache/bin/$1 GOFLAGS="" go install "$2" >&2
}

# vault_install builds internal/testbed/vaultserver once, in a copy: as a module within this one, tools would stumble over it.
vault_install() {
	program=$cache/bin/vaultserver-$VAULT/vaultserver
	[ -x "$program" ] && return 0
	have go || die "Go 1.26 is presumed, but there is no go command"
	say "building HashiCorp Vault $VAULT (once)"
	mkdir -p "$cache/bin/vaultserver-$VAULT"
	copy=$(mktemp -d)
	for file in go.mod main.go; do
		cp "$(dirname "$0")/../internal/testbed/vaultserver/$file.in" "$copy/$file"
	done
	(cd "$copy" && GOFLAGS="-mod=mod -trimpath" go build -o "$program" .) >&2
	rm -rf "$copy"
}

[ $# -gt 0 ] || die "usage: $0 build|web|lint|test|vault ..."
for group in "$@"; do
	case $group in
	build)
		# shellcheck disable=SC2086
		apt_install $BUILD_PACKAGES
		;;
	web) install_node ;;
	lint) go_install "golangci-lint-$GOLANGCI_LINT" "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$GOLANGCI_LINT" ;;
	test)
		# shellcheck disable=SC2086
		apt_install $TEST_PACKAGES
		go_install "minio-$MINIO_COMMIT" "$MINIO_MODULE"
		go_install "pebble-$PEBBLE" "github.com/letsencrypt/pebble/v2/cmd/pebble@$PEBBLE"
		if [ "$(id -u)" = 0 ] && [ ! -d /tmp/.X11-unix ]; then
			mkdir -m 1777 /tmp/.X11-unix
		fi
		;;
	vault) vault_install ;;
	*) die "unknown group $group: want build, web, lint, test or vault" ;;
	esac
done
