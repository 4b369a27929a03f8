#!/bin/sh
# image.sh [--release]: builds both images and writes the bill of materials of each to dist/, in CycloneDX.
#
# BASE_IMAGE  what they stand on; with --release it must name a digest, and the work tree must be what was committed
# VERSION     their tag and label; without it the version of the workspace's members, `dev` as a further tag
set -eu
cd "$(dirname "$0")/../.."

fail() {
    printf '%s\n' "$1" >&2
    exit 2
}

base=${BASE_IMAGE:-python:3.11-slim-trixie}
version=${VERSION:-$(sed -n 's/^version = "\(.*\)"/\1/p' libs/common/pyproject.toml)}
revision=$(git rev-parse HEAD)
if [ "${1:-}" = --release ]; then
    case $base in
    *@sha256:????????????????????????????????????????????????????????????????) ;;
    *) fail "A release names its base by digest: BASE_IMAGE=$base@sha256:..., as the registry gives it that you trust." ;;
    esac
    [ -z "$(git status --porcelain)" ] || fail "A release is built from what is committed; git status shows changes."
fi
.venv/bin/ringback-local engine

# Of the commit, not of the build: the same sources give the same labels.
created=$(git show --no-patch --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ HEAD)
mkdir -p dist
for target in ringback simulator; do
    image=$([ "$target" = ringback ] && echo ringback || echo ringback-graph-simulator)
    docker build --quiet --file deploy/docker/Dockerfile --target "$target" \
        --build-arg BASE_IMAGE="$base" --build-arg VERSION="$version" \
        --build-arg REVISION="$revision" --build-arg CREATED="$created" \
        --tag "$image:$version" --tag "$image:dev" .
    .venv/bin/python deploy/docker/bill.py "$image:$version" >"dist/$image-$version.cdx.json"
done
