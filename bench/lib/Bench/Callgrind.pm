package Bench::Callgrind;

# What callgrind counted: instructions by source file and function, inlined code counted to the
# file it was written in. The format is described in the Valgrind manual, "Callgrind Format
# Specification".

use strict;
use warnings;

# read_all(@files): { "file\tfunction" => instructions } over all of @files, without what called
# functions used. Code without debugging information goes under its object's name.
sub read_all {
    my (@files) = @_;
    my %sum;
    _read_one($_, \%sum) for @files;
    return \%sum;
}

sub _read_one {
    my ($path, $sum) = @_;
    my (%names, $object, $file, $function, $call);
    open my $fh, '<', $path or die "$path: $!\n";
    while (my $line = <$fh>) {
        if ($line =~ /^(c?)(ob|fl|fi|fe|fn)=(.*)$/) {
            my ($called, $what, $text) = ($1, $2, $3);
            my $name = _name($names{ $what =~ /^f[lie]$/ ? 'file' : $what } //= {}, $text);
            next if $called;
            if    ($what eq 'ob') { $object   = $name }
            elsif ($what eq 'fn') { $function = $name }
            else                  { $file     = $name }
        }
        elsif ($line =~ /^calls=/) { $call = 1 }
        elsif (my ($count) = $line =~ /^[-+*\d]\S* (\d+)/) {
            # The line after "calls=" is what the called function used, which it says itself.
            if ($call) { $call = 0; next }
            my $where = $file eq '???' ? '[' . ($object =~ s{.*/}{}r) . ']' : $file;
            $sum->{"$where\t$function"} += $count;
        }
    }
}

# "(3) name" the first time, "(3)" from then on.
sub _name {
    my ($known, $text) = @_;
    my ($id, $name) = $text =~ /^\((\d+)\)(?: (.*))?$/ or return $text;
    $known->{$id} = $name if defined $name;
    return $known->{$id};
}

1;
