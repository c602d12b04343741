#!/bin/sh
# Builds the fstore command for a wheel: build/ beside this file then has the command, its licences and the name of the platform.
set -eu
cd "$(dirname "$0")/../.."
build=python/bin/build
rm -rf $build
mkdir $build
cp LICENSE $build/
case $(uname -s) in
Linux) echo "manylinux_$(tr . _ <release/glibc)_$(uname -m)" ;;
Darwin) echo "macosx_12_0_$(uname -m)" ;;
esac >$build/platform
release/go build -ldflags="-X main.version=$(git describe --tags --always --dirty)" -o $build/fstore ./cmd/fstore
release/notices >$build/THIRD_PARTY_LICENSES
