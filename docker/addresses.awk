# Gives the processes of a cluster.toml of `homeport init --wan`, all on 127.0.0.1, the addresses of compose.yaml:
# 10.77.<region><zone>.<who>. Two passes over the same file: awk -f addresses.awk cluster.toml cluster.toml

function host(region, zone, who) { return "10.77." region zone "." who }
function port(line) { match(line, /:[0-9]+"/); return substr(line, RSTART + 1, RLENGTH - 2) }

FNR == 1 { pass++; region = 0; at = "" }
/^\[\[region\]\]/ { region++; zone = 0; at = host(region, 1, 10) }
/^\[\[region\.replica\]\]/ { zone++; at = host(region, zone, 11) }
/^\[\[path\]\]/ { at = "" }
/^name = / { number[$3] = region }
pass == 1 {
  if (at != "" && /127\.0\.0\.1:/) of_port[port($0)] = at
  next
}
/^data = / { print "data = \"/data\""; next }
/^from = / { from = number[$3] }
/^to = / { sub(/127\.0\.0\.1/, of_port[port($0)]) }
/^via = / { sub(/127\.0\.0\.1/, host(from, 1, 2)) }
{ if (at != "") sub(/127\.0\.0\.1/, at); print }
