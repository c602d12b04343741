#!/bin/sh
# Builds the fstore command for a wheel: build/ beside this file then has the command, its licences and the name of the platform.
#
# On Linux, the command needs nothing but glibc 2.26 or later. zig brings the symbols of that glibc, so the build may run on a newer
# system. DuckDB's static libraries are compiled against GCC's libstdc++, which is linked statically: take one as new as theirs, GCC 12.
set -eu
cd "$(dirname "$0")"
here=$PWD
root=$(cd ../.. && pwd)
version=$(git -C "$root" describe --tags --always --dirty)
rm -rf build
mkdir build
cp "$root/LICENSE" build/
machine=$(uname -m)
case $(uname -s) in
Linux)
	glibc=2.26
	echo "manylinux_$(echo "$glibc" | tr . _)_$machine" >build/platform
	export FSTORE_LIBSTDCXX FSTORE_SHIMS="$here/build/shims.o" CC="$here/zig-cc -target $machine-linux-gnu.$glibc"
	FSTORE_LIBSTDCXX=$("${CXX:-g++}" -print-file-name=libstdc++.a)
	$CC -O2 -c shims.c -o "$FSTORE_SHIMS"
	;;
Darwin) # its C++ library is the system's
	echo "macosx_12_0_$machine" >build/platform
	export MACOSX_DEPLOYMENT_TARGET=12.0 # the oldest that Go supports
	;;
*)
	echo "there is no wheel for $(uname -s)" >&2
	exit 1
	;;
esac
cd "$root"
CGO_ENABLED=1 go build -trimpath -ldflags "-s -w -linkmode external -X main.version=$version" -o python/bin/build/fstore ./cmd/fstore
{
	go run ./internal/notices
	if [ "$(uname -s)" = Linux ]; then
		python python/bin/notices.py
	fi
} >python/bin/build/THIRD_PARTY_LICENSES
if [ "$(uname -s)" = Linux ]; then
	strip python/bin/build/fstore
fi
