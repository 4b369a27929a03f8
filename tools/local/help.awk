# Print a Makefile's targets by group: "##@ Group" begins one, "target: ... ## sentence" explains one.
BEGIN { FS = ":.*## "; print "usage: make <target>" }
/^##@ / { printf "\n%s\n", substr($0, 5) }
/^[a-z-]+:.*## / { printf "  %-11s %s\n", $1, $2 }
