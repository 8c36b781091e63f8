# Turn the rows of options.def into the option list of a manual page (mdoc): as -o takes them, or,
# with -v form=file, as the configuration file does.
/^OPTION\(/ {
    count = split($0, quoted, "\"")        # name is before the 1st quote, strings are the even parts
    split(quoted[1], words, /[(, ]+/)
    name = words[3]; standard = quoted[2]; argument = quoted[4]; help = quoted[6]
    if (form != "file")
        printf ".It Ic %s Ns = Ns Ar %s\n", name, argument
    else if (words[2] == "LIST")
        printf ".It Ic %s No = Brq Ar %s , ...\n", name, argument
    else
        printf ".It Ic %s No = Ar %s\n", name, argument
    wrap(toupper(substr(help, 1, 1)) substr(help, 2) ".")
    split(quoted[3], bounds, /[, ]+/)
    if (words[2] == "NUMBER")
        printf "From %s to %s.\n", bounds[2], bounds[3]
    if (standard != "")
        printf "The default is\n.Ql %s .\n", standard
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
