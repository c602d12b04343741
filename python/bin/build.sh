#!/bin/sh
# build.sh builds the fstore command for a wheel, in build/ beside this file, with its licences and the name of the platform.
set -eu
cd "$(dirname "$0")"
root=$PWD/../..
version=$(git -C "$root" describe --tags --always --dirty)
mkdir -p build
cp "$root/LICENSE" build/
case $(uname -s) in
Linux) echo "linux_$(uname -m)" >build/platform ;;
Darwin) echo "macosx_12_0_$(uname -m)" >build/platform; export MACOSX_DEPLOYMENT_TARGET=12.0 ;;
*) echo "there is no wheel for $(uname -s)" >&2; exit 1 ;;
esac
(cd "$root" && go build -trimpath -ldflags "-s -w -X main.version=$version" -o python/bin/build/fstore ./cmd/fstore)
(cd "$root" && go run ./internal/notices) >build/THIRD_PARTY_LICENSES
