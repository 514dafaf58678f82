# Sourced by the scripts beside it, after `cd` to the project: Debian packages, steps and their logs.
# Nothing is removed, no server package is installed, no service is started.

build_packages="gcc libc6-dev make cmake ninja-build pkg-config libuv1-dev libltdl-dev libinih-dev libssl-dev
    libcurl4-openssl-dev libxml2-dev libssh-dev libqpid-proton11-dev libseccomp-dev libsqlite3-dev"
demo_packages="python3 python3-asyncssh python3-aiosmtpd python3-qpid-proton"
test_packages="g++ git libcmocka-dev python3 python3-pytest python3-pytest-xdist python3-asyncssh python3-aiosmtpd python3-qpid-proton
    universal-ctags groff-base libfaketime e2fsprogs xfsprogs tzdata"
bench_packages="librabbitmq-dev"

logs=build/logs
export DEBIAN_FRONTEND=noninteractive
unset MAKEFLAGS MAKELEVEL

say() {
    printf '%-10s %s\n' "$1" "$2"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "packages are missing; become root or install sudo, and run this again" >&2
        return 1
    fi
}

# step NAME TEXT COMMAND...: one line on the screen; the details in build/logs/NAME.log, their end if it fails.
step() {
    local name=$1 text=$2 began=$SECONDS
    shift 2
    mkdir -p $logs
    if "$@" >"$logs/$name.log" 2>&1; then
        say "$name" "$text ($((SECONDS - began)) s)"
    else
        say "$name" "FAILED: $text"
        tail -n 40 "$logs/$name.log" | sed 's/^/    /'
        say "" "all of it: $logs/$name.log"
        return 1
    fi
}

missing_packages() {
    local package
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
    done
}

have_lists() {
    [ -n "$(find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' 2>/dev/null | head -n 1)" ]
}

install_packages() {
    have_lists || as_root apt-get update
    # --no-remove: better no demo than a machine with something taken away.
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends --no-remove "$@" ||
        { as_root apt-get update &&
            as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends --no-remove "$@"; }
}

need_packages() {
    local missing
    missing=$(missing_packages "$@")
    if [ -z "$missing" ]; then
        say packages "all present"
        return 0
    fi
    say packages "installing $(echo $missing)"
    step packages "installed" install_packages $missing
}

# build PRESET [cmake options...]
build() {
    local preset=$1
    shift
    cmake --preset "$preset" "$@" && cmake --build "build/$preset" -j"$(nproc)"
}
