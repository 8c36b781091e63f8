#!/usr/bin/perl
# tickgen: what it makes, and that it always makes the same.

use v5.26;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use Digest::SHA;
use File::Find;
use FindBin;
use lib "$FindBin::Bin/lib";
use POSIX ();
use Test::More;
use Tickd qw(build scratch source);

my $tickgen = build() . '/tickgen';
-x $tickgen or die "no $tickgen: set TICKD_BUILD to the build directory\n";
my @wrapper = split ' ', $ENV{TICKD_WRAPPER} // '';
my $tmp = scratch();

sub get_file ($path) {
    open my $file, '<:raw', $path or return undef;
    local $/;
    return scalar <$file> // '';
}

# Run it; its exit status, and what it wrote.
sub run (@args) {
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        open STDOUT, '>', "$tmp/stdout" or POSIX::_exit(126);
        open STDERR, '>', "$tmp/stderr" or POSIX::_exit(126);
        exec @wrapper, $tickgen, @args or POSIX::_exit(127);
    }
    waitpid $pid, 0;
    return ($? & 127 ? 'signal ' . ($? & 127) : $? >> 8, get_file("$tmp/stdout"), get_file("$tmp/stderr"));
}

# All files below a directory, name => SHA-256.
sub tree ($data) {
    my %files;
    return {} if !-d $data;
    find({ no_chdir => 1, wanted => sub { $files{ substr $_, length($data) + 1 } = Digest::SHA::sha256_hex(get_file($_)) if -f } }, $data);
    return \%files;
}

my @small = ('--start', '2024-12-31', '-r', '1000');

subtest 'by default' => sub {
    my $before = int(time / 86400);
    my ($status, $out, $err) = run('-d', "$tmp/demo", '-r', '100');
    is("$status|$err", '0|', 'works');
    my $files = tree("$tmp/demo");
    my (%series, %last);
    for (keys %$files) {
        my ($series, $column, $day) = m{\A(.*)/([a-z_]+)\.(\d\d\.\d\d\.\d\d)\.bin\z} or next;
        $series{$series}{$column}++;
        $last{ join '', reverse split /\./, $day }++;
    }
    my %quotes = (time => 7, nanos => 7, best_bid => 7, best_ask => 7);
    my %trades = (time => 7, nanos => 7, id => 7, price => 7, volume => 7, side => 7);
    is_deeply(\%series, { map { ("coinbase/$_/MD" => \%quotes, "coinbase/$_/TRADES" => \%trades) } 'BTC-USD', 'ETH-USD' }, 'a week of two symbols');
    my ($newest) = sort { $b cmp $a } keys %last;
    ok(scalar(grep { POSIX::strftime('%y%m%d', gmtime(86400 * ($_ - 1))) eq $newest } $before, int(time / 86400)), 'that ends yesterday');
    my @stray = grep { !/\.bin\z/ } keys %$files;
    is("@stray", '', 'and nothing else');
    like($out, qr{^coinbase/BTC-USD/MD: 7 days of 100 rows, \S+ to \S+$}m, 'and it says so');
};

subtest 'the same' => sub {
    run('-d', "$tmp/$_->[0]", @small, @{ $_->[1] })
        for [ a => [ '-n', 3 ] ], [ b => [ '-n', 3 ] ], [ seed => [ '-n', 3, '--seed', 2 ] ], [ rows => [ '-n', 3, '-r', 1001 ] ], [ long => [ '-n', 5 ] ],
        [ one => [ '-n', 3, '-s', 'ETH-USD', '-t', 'MD' ] ];
    my $a = tree("$tmp/a");
    is(scalar keys %$a, 2 * 3 * 10, 'all files');
    is_deeply(tree("$tmp/b"), $a, 'the same call, the same bytes');
    my $long = tree("$tmp/long");
    is_deeply({ map { $_ => $long->{$_} } keys %$a }, $a, 'a longer range holds the shorter one');
    my $one = tree("$tmp/one");
    is_deeply($one, { map { $_ => $a->{$_} } grep { m{/ETH-USD/MD/} } keys %$a }, 'and all symbols the one');
    for my $other (qw(seed rows)) {
        my $tree = tree("$tmp/$other");
        my @same = grep { $a->{$_} eq ($tree->{$_} // '') } grep { m{/(?:price|volume|best_bid|nanos)\.} } keys %$a;
        is("@same", '', "another $other, other data");
    }
    # The bytes of all machines; they may change with a release, but not by chance.
    is($a->{'coinbase/BTC-USD/MD/best_bid.01.01.25.bin'}, '651839fd1331659c6b799d42fb144ed06cbaa4c74830314662a0deda09ddba83', 'quotes as ever');
    is($a->{'coinbase/BTC-USD/TRADES/volume.31.12.24.bin'}, 'e5ff94642a63de158ee6788ccbe18b69dce78be61caf9030b6e7c5abfbbd4639', 'trades as ever');
};

subtest 'rows' => sub {
    my $n = 20000;
    is((run('-d', "$tmp/rows", '--start', '2024-12-31', '-n', 2, '-r', '20k', '-s', 'BTC-USD', '-s', 'ADA-USD', '-e', 'kraken'))[0], 0, 'works');
    for my $symbol ('BTC-USD', 'ADA-USD') {
        my ($id, $end) = (undef, undef);
        for my $day ([ '31.12.24', 1735603200 ], [ '01.01.25', 1735689600 ]) {
            my $column = sub ($type, $name, $pack) { [ unpack "($pack)*", get_file("$tmp/rows/kraken/$symbol/$type/$name.$day->[0].bin") ] };
            my ($time, $nanos) = map { $column->('MD', $_, 'V') } 'time', 'nanos';
            my ($bid, $ask, $price, $volume) = ((map { $column->('MD', $_, 'f<') } 'best_bid', 'best_ask'), map { $column->('TRADES', $_, 'f<') } 'price', 'volume');
            my ($ids, $side) = ($column->('TRADES', 'id', 'Q<'), $column->('TRADES', 'side', 'V'));
            is(join(' ', map { scalar @$_ } $time, $nanos, $bid, $ask, $price, $volume, $ids, $side), join(' ', ($n) x 8), "$symbol $day->[0]: all rows");
            my %wrong;
            for my $i (0 .. $n - 1) {
                $wrong{day}++ if $time->[$i] < $day->[1] || $time->[$i] >= $day->[1] + 86400 || $nanos->[$i] > 999_999_999;
                $wrong{order}++ if $i && ($time->[$i] <=> $time->[ $i - 1 ] || $nanos->[$i] <=> $nanos->[ $i - 1 ]) < 0;
                $wrong{spread}++ if $bid->[$i] <= 0 || $bid->[$i] >= $ask->[$i];
                $wrong{price}++ if $price->[$i] != ($side->[$i] ? $bid->[$i] : $ask->[$i]);
                $wrong{volume}++ if $volume->[$i] <= 0;
                $wrong{jump}++ if $i && abs($bid->[$i] / $bid->[ $i - 1 ] - 1) > 0.002;
                $wrong{id}++ if defined $id && $ids->[$i] != $id + 1;
                $id = $ids->[$i];
            }
            is_deeply(\%wrong, {}, "$symbol $day->[0]: times, prices, ids");
            cmp_ok(abs($bid->[0] / $end - 1), '<', 0.002, "$symbol $day->[0]: goes on where the day before ended") if defined $end;
            $end = $bid->[-1];
            my ($low, $high) = (sort { $a <=> $b } @$bid)[ 0, -1 ];
            cmp_ok($high / $low, '>', 1.005, "$symbol $day->[0]: moves");
            cmp_ok($high / $low, '<', 1.2, "$symbol $day->[0]: not too much");
        }
    }
};

subtest 'days that exist' => sub {
    my @call = ('-d', "$tmp/exist", @small, '-s', 'A', '-t', 'QUOTES');
    run(@call, '-n', 2);
    my $before = tree("$tmp/exist");
    is(join(' ', sort map { m{/([a-z_]+)\.[^/]*\z} } grep { /31\.12\.24/ } keys %$before), 'best_ask best_bid nanos time', 'QUOTES');
    my ($status, $out, $err) = run(@call, '-n', 3, '--seed', 5);
    is("$status|$out", '1|', 'refused');
    like($err, qr{\Atickgen: coinbase/A/QUOTES has 2024-12-31 already: .*--replace\n\z}, 'and why');
    is_deeply(tree("$tmp/exist"), $before, 'and nothing has changed');
    is((run(@call, '-n', 3, '--seed', 5, '--replace', '-q'))[0], 0, '--replace');
    my $after = tree("$tmp/exist");
    is(scalar keys %$after, 12, 'all days');
    is(scalar(grep { ($after->{$_} // '') eq $before->{$_} } keys %$before), 0, 'other data');
};

subtest 'one of each' => sub {
    my ($status, $out, $err) = run('-d', "$tmp/each", '--start', '2024-12-31', '-n', 1, '-r', 1, '-s', 'X', '-t', 'MD');
    is("$status|$out|$err", "0|coinbase/X/MD: 1 day of 1 row, 2024-12-31\n|", 'is told as one');
};

# The lines of the manual, as a shell would get them pasted, but with less to make.
subtest 'the examples of the manual' => sub {
    my ($text) = get_file(source() . '/man/tickgen.1') =~ /^\.Sh EXAMPLES\n(.*?)^\.Sh /ms or die 'no examples';
    my @examples = $text =~ /^\.Dl (.*)$/mg;
    is(scalar @examples, 2, 'there are some');
    my $command = join ' ', map { "'$_'" } @wrapper, $tickgen;
    mkdir "$tmp/examples" or die $!;
    for my $example (@examples) {
        my $said = qx(cd '$tmp/examples' && tickgen () { $command "\$@"; } && $example --days 1 --rows-per-day 1 2>&1);
        is($?, 0, $example);
        like($said, qr{\A(?:coinbase/[A-Z0-9]+-USD/\w+: 1 day of 1 row, \S+\n)+\z}, 'says what it makes');
    }
};

subtest 'usage' => sub {
    my @bad = (
        [ [], qr/-d DATA/ ], [ [ '-d', "$tmp/u", 'x' ], qr/'x' is one word too many/ ], [ [ '-d', "$tmp/u", '-n', '0' ], qr/--days '0'/ ],
        [ [ '-d', "$tmp/u", '-n', '1x' ], qr/--days '1x'/ ], [ [ '-d', "$tmp/u", '-r', '' ], qr/--rows-per-day ''/ ],
        [ [ '-d', "$tmp/u", '-t', 'md' ], qr/-t 'md'/ ], [ [ '-d', "$tmp/u", '--start', '1999-12-31' ], qr/--start '1999/ ],
        [ [ '-d', "$tmp/u", '--start', '2099-12-31', '-n', '2' ], qr/do not fit/ ], [ [ '-d', "$tmp/u", '-s', 'a/b' ], qr{'a/b' cannot be the name} ],
        [ [ '-d', "$tmp/u", '-e', '..' ], qr{'\.\.' cannot be the name} ], [ [ '-d', "$tmp/u", '--seed', '-1' ], qr/--seed '-1'/ ],
        [ [ '-d', "$tmp/u", '-S', '2', '-s', 'X' ], qr/--symbols and --symbol do not go together/ ],
        [ ['--no-such'], qr/^tickgen: unrecognized option '--no-such'$/m ],
    );
    for (@bad) {
        my ($status, $out, $err) = run(@{ $_->[0] });
        is("$status|$out", '2|', "'@{ $_->[0] }'");
        like($err, qr/$_->[1].*^tickgen: try 'tickgen --help'$/ms, 'says so');
    }
    ok(!-e "$tmp/u", 'nothing was made');
    is((run('--help'))[0], 0, '--help');
    like((run('--version'))[1], qr/\Atickgen \(tickd\) \d+\.\d+\.\d+\n\z/, '--version');
    my ($status, $out, $err) = run('-d', "$tmp/no/such", '-n', 1);
    is("$status|$err", "1|tickgen: $tmp/no/such: No such file or directory\n", 'no such place');
};

done_testing;
