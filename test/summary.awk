# The output of "go test -v", for people: of a package that passes one line; of
# one that fails all that is not about success, and once more, at its end, what
# the tests that failed have said.

function forget() { n = 0; failed = ""; split("", says) }

/^(ok|\?) .*\t/ { print; forget(); next }
/^FAIL\t/ {
  for (i = 0; i < n; i++) print kept[i]
  printf "\nFailed, in short:\n%s", failed
  print; forget(); next
}
/^=== (RUN|CONT|NAME) / { test = $3; sub(/\/.*/, "", test) }
/^=== |^ *--- PASS/ { next }
{ kept[n++] = $0 }
/^ +[a-z0-9_]+_test\.go:[0-9]+: / && !/: the log of / { says[test] = says[test] substr($0, 1, 400) "\n" }
/^--- FAIL: / { failed = failed $0 "\n" says[$3] }
/^ +--- FAIL: |^panic: / { failed = failed $0 "\n" }
END { for (i = 0; i < n; i++) print kept[i] }
