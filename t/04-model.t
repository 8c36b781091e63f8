#!/usr/bin/perl
# The protocols of shared memory, as models in t/model: spin goes through all that can happen. And
# each step that matters, left out, must break just the property that it is there for.

use v5.26;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Tickd;

if (system('spin -V >/dev/null 2>&1') != 0) {
    fail('the models need spin (Debian package: spin)');
    done_testing;
    exit 1;
}

my $depth = 100_000;
my $megabytes = 900;

# The checks, two at a time; what each prints is judged in their order.
my @checks;

# check(MODEL, DEFINES, OPTIMISE, CODE): CODE judges the checker's output.
sub check {
    my ($model, $defines, $optimise, $judge) = @_;
    my $dir = scratch();
    my $source = source() . "/t/model/$model.pml";
    my $command = "exec 2>&1; cd '$dir' && cp '$source' . && spin $defines -a $model.pml"
        . " && \${CC:-gcc} -$optimise -w -DSAFETY -DNOFAIR -DMEMLIM=$megabytes -o pan pan.c"
        . ' && timeout ' . deadline(60) . " ./pan -m$depth -w22; echo status \$?";
    push @checks, { dir => $dir, command => $command, judge => $judge };
}

sub start {
    my ($check) = @_;
    open $check->{pipe}, '-|', 'sh', '-c', $check->{command} or die "sh: $!" if $check;
}

# holds(MODEL, DEFINES): every property, in every state there is.
sub holds {
    my ($model, $defines) = @_;
    check($model, $defines, 'O1', sub {
        my ($output) = @_;
        my $right = subtest "$model $defines" => sub {
            like($output, qr/\berrors: 0$/m, 'no error');
            like($output, qr/^Full statespace search for:$/m, 'a full search');
            like($output, qr/^\s+assertion violations\s+\+/m, 'of assertions');
            like($output, qr/^\s+invalid end states\s+\+/m, 'and of dead ends');
            unlike($output, qr/max search depth too small|Search not completed|reached -DMEMLIM|out of memory/i, 'to its end');
            like($output, qr/^status 0$/m, 'which it reached');
            is(join("\n", grep { !/-end-/ } $output =~ /^\s+\S*\.pml:\d+, state .*/mg), '', 'no part of the model is idle');
            note(join ', ', map { s/^\s+//r } $output =~ /^(.*states, stored|.*total actual memory usage)$/mg);
        };
        diag($output) if !$right;
    });
}

# breaks(MODEL, MUTANT, PROPERTY, DEFINES): the mutant violates that property.
sub breaks {
    my ($model, $mutant, $property, $defines) = @_;
    check($model, "-DMUTANT_$mutant -DONLY=NUMBER_$property $defines", 'O0', sub {
        my ($output) = @_;
        like($output, qr/^pan:\d+: assertion violated $property /m, join ' ', $model, $defines || (), "$mutant breaks '$property'");
    });
}

holds('cache', '-DWRITES=3 -DKEYS=2 -DKILLS=2');
holds('cache', '-DWRITES=3 -DKEYS=3 -DKILLS=1');
holds('cache', '-DREAD -DWRITES=3 -DKEYS=2 -DKILLS=1');
holds('cache', '-DREAD -DHINT -DWRITES=3 -DKEYS=2 -DKILLS=1');
holds('names', '-DKILLS=2');

# The choice of the way was made before the word was loaded.
breaks('cache', 'LATE_CHOICE', 'once', '');
# The release may pass stores; or stores the claim.
breaks('cache', 'NO_RELEASE_FENCE', 'whole', '-DREAD');
breaks('cache', 'NO_CLAIM_FENCE', 'whole', '-DREAD -DKILLS=0');
# The reader does not load the word again; or its loads may pass those of the word. (cache_read's
# first fence is not here: its hint is from before anyway.)
breaks('cache', 'NO_RECHECK', 'whole', $_) for '-DREAD', '-DREAD -DHINT';
breaks('cache', 'NO_RECHECK', 'latest', '-DREAD');
breaks('cache', 'NO_FIRST_FENCE', 'whole', '-DREAD');
breaks('cache', 'NO_SECOND_FENCE', 'whole', $_) for '-DREAD', '-DREAD -DHINT';
# The sweep leaves the way as it is; or the word.
breaks('cache', 'NOT_EMPTIED', $_, '-DREAD') for 'tidy', 'whole';
breaks('cache', 'NOT_RELEASED', 'unclaimed', '');
# The dead one's number is used again before the sweep; or its stores come after the wait for it.
breaks('cache', 'ID_REUSE', $_, '-DREAD') for 'owned', 'whole';
breaks('cache', 'STORES_AFTER_WAIT', 'whole', '-DREAD');
breaks('cache', 'STORES_AFTER_WAIT', 'once', '');

# A claimed entry is passed; and as above.
breaks('names', 'PASS_CLAIMED', 'once', '');
breaks('names', 'NO_RELEASE_FENCE', 'whole', '');
breaks('names', 'NOT_RELEASED', 'unclaimed', '');
breaks('names', 'ID_REUSE', 'owned', '');
breaks('names', 'STORES_AFTER_WAIT', 'whole', '');

start($_) for @checks[0, 1];
for my $i (0 .. $#checks) {
    my $check = $checks[$i];
    my $output = do { local $/; readline $check->{pipe} };
    close $check->{pipe};
    start($checks[$i + 2]);
    $check->{judge}->($output);
    $checks[$i] = undef;
}

done_testing;
