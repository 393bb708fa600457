#!/bin/sh
# Installs the two wheels in a directory, and asks each for a credential: for platforms where the test suite cannot run.
#
# sh .ci/smoke.sh DIRECTORY
set -eu
directory=$1
index=https://pkgs.dev.azure.com/contoso/_packaging/feed/pypi/simple/

environment=$(mktemp -d)
trap 'rm -rf "$environment"' EXIT
python -m venv "$environment"
PATH=$environment/bin:$PATH
export PATH HOME="$environment" PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

# keyring without SecretStorage, which is only for a desktop's own store and needs cryptography: not every platform has a wheel.
pip install --quiet --no-deps "$directory"/ringbearer-*.whl keyring jaraco.classes jaraco.context jaraco.functools more-itertools
keyring --list-backends | grep AzureArtifactsKeyring

check() {
    answer=$(AZURE_DEVOPS_EXT_PAT=a-token keyring get "$index" user)
    test "$answer" = a-token || { echo "$1: $answer"; exit 1; }
    ringbearer --version
    echo "== $1 answers"
}
check "the keyring backend"
pip install --quiet --no-deps --force-reinstall "$directory"/ringbearer_cli-*.whl
keyring --help | grep "^Native"
check "the native keyring"
