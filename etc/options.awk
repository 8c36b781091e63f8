# Turn the rows of options.def into a configuration file in which every option is commented out at
# its default.
/^OPTION\(/ {
    split($0, quoted, "\"")                # name is before the 1st quote, strings are the even parts
    split(quoted[1], words, /[(, ]+/)
    kind = words[2]; name = words[3]; standard = quoted[2]; argument = quoted[4]; help = quoted[6]
    print ""
    wrap(toupper(substr(help, 1, 1)) substr(help, 2) ".")
    if (kind == "CHOICE")
        wrap("One of: " spaced(argument))
    if (kind == "LIST")
        standard = standard == "" ? "{}" : "{\"" standard "\"}"
    else if (kind == "STRING")
        standard = "\"" standard "\""
    printf "#%s = %s\n", name, standard
}

function spaced(text) {
    gsub(/\|/, " ", text)
    return text
}

# Print the text as comments of at most 80 bytes a line.
function wrap(text,    words, count, i, line) {
    count = split(text, words, " ")
    line = "# " words[1]
    for (i = 2; i <= count; i++) {
        if (length(line) + 1 + length(words[i]) > 80) {
            print line
            line = "# " words[i]
        } else {
            line = line " " words[i]
        }
    }
    print line
}
