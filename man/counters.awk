# Turn the rows of counters.def that are of one of the ${kinds} into the list of the manual page
# (mdoc).
/^[A-Z]+\(/ {
    split($0, quoted, "\"")                # the help is between the quotes
    split(quoted[1], words, /[(, ]+/)
    if (index("," kinds ",", "," words[1] ",") == 0)
        next
    help = quoted[2]
    printf ".It Ic %s\n", words[2]
    if (words[1] == "GAUGE")
        help = help " (at the moment)"
    wrap(toupper(substr(help, 1, 1)) substr(help, 2) ".")
}

# Print the text in lines of at most 78 bytes.
function wrap(text,    words, count, i, line) {
    count = split(text, words, " ")
    line = words[1]
    for (i = 2; i <= count; i++) {
        if (length(line) + 1 + length(words[i]) > 78) {
            print line
            line = words[i]
        } else {
            line = line " " words[i]
        }
    }
    print line
}
