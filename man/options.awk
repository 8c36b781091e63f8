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
    else if (words[2] == "SIZE")
        printf "From %s to %s.\n", in_units(bounds[2], "1 k m g", "1024 1024 1024"),
            in_units(bounds[3], "1 k m g", "1024 1024 1024")
    else if (words[2] == "DURATION")
        printf "From %s to %s.\n", in_units(bounds[2], "ms s m h d", "1000 60 60 24"),
            in_units(bounds[3], "ms s m h d", "1000 60 60 24")
    if (standard != "")
        printf "The default is\n.Ql %s .\n", standard
}

# The number in the largest of its units that divides it; the factors lead from each unit to the next.
function in_units(number, units, factors,    unit, factor, count, i) {
    if (number == 0)
        return "0"
    count = split(factors, factor, " ")
    split(units, unit, " ")
    for (i = 1; i <= count && number % factor[i] == 0; i++)
        number /= factor[i]
    return number (unit[i] == "1" ? "" : unit[i])
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
