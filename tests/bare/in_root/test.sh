# The tests, all of them or those that were named.
# shellcheck shell=sh disable=SC2154

# shellcheck disable=SC2086 # words
claim "the tests pass" /srv/box/install.sh --test $tests
tail -n 3 "$said"
