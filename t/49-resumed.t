#!/usr/bin/perl
# Downloads that break at any byte and are taken up again, whatever happens to the server in between: the same SHA-256.

use v5.26;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use Digest::SHA qw(sha256_hex);
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Tickd;
use Tickd::Data qw(write_day append_day big_day write_file read_file midnight day_of iso_of file_of OLD);
use Tickd::Http qw(url);
use Tickd::Random qw(seed pick chance);
use Time::HiRes qw(time);

plan skip_all => 'needs a worker that is soon replaced' if $ENV{TICKD_WRAPPER};

my $rounds = int($ENV{TICKD_TEST_ROUNDS} // 1) || 1;
my $seed = seed();
note "TICKD_SEED=$seed";
my $data = scratch();
big_day("$data", 'coinbase/BIG/MD', '2025-01-01', 15, 'price', 'volume');
my $today = iso_of(int time / 86400);
my $noon = midnight($today) + 43200;
my $grown = 0;

# grow(ROWS): of today's files, in which a second has ten rows, and the ends of blocks are no ends of records.
sub grow ($rows) {
    my @row = $grown .. $grown + $rows - 1;
    append_day("$data", 'coinbase/LIVE/MD', $today, { id => [ map { 1_000_003 * $_ } @row ], time => [ map { $noon - 40_000 + int($_ / 10) } @row ] }, mtime => 'now');
    $grown += $rows;
    return;
}

grow(200_000);
for my $day (1 .. 9) {
    my @row = 0 .. 19_999;
    my @time = map { midnight("2025-02-0$day") + 4 * $_ } @row;
    @time[ 500, 501 ] = @time[ 501, 500 ] if $day == 5;    # its rows are picked
    write_day("$data", 'coinbase/DAYS/MD', "2025-02-0$day", { time => \@time, id => [ map { $day * 100_000 + $_ } @row ], price => [ map { $_ / 4 } @row ] });
}

sub target (%query) { return url('/api/data', type => 'MD', map { $_ => $query{$_} } sort keys %query) }

my %big = (symbol => 'BIG', columns => 'time,price,volume', start => '2025-01-01', end => '2025-01-01');
my %asked = (
    'a day' => target(%big),
    'every seventh row' => target(%big, max_points => 200_000),
    'a part of a day' => target(%big, start => midnight('2025-01-01') + 1234, end => midnight('2025-01-01') + 70_000),
    'days' => target(symbol => 'DAYS', columns => 'id,time,price', start => '2025-02-01T07:00:00Z', end => '2025-02-09'),
    'the last rows of days' => target(symbol => 'DAYS', columns => 'price,id', end => '2025-02-09', tail => 130_000),
    'a past range of today' => target(symbol => 'LIVE', columns => 'id,time', start => $noon - 39_990, end => $noon - 21_000),
);

# Who has a configuration file can be told to read it again.
my $conf = scratch();
write_file("$conf/conf", "data = $data\nlisten = '127.0.0.1:0'\nworkers = 2\n");
my $server = Tickd->start(listen => [], workers => 0, args => [ '-c', "$conf/conf" ]);
wait_for(20, sub { $server->log_text =~ /are serving/ });

sub serving () { return scalar grep { Tickd::title($_) =~ /\Atickd: worker \d+\z/ } $server->workers }

sub killed ($which) {
    my @before = $server->workers;
    kill 'KILL', $before[$which];
    return ok(wait_for(20, sub { !grep({ $_ == $before[$which] } $server->workers) && serving() == 2 }), 'a worker is killed, and replaced');
}

sub reloads () { return scalar(() = $server->log_text =~ /notice: reloaded$/mg) }

sub reloaded () {
    my $before = reloads();
    $server->signal('HUP');
    return ok(wait_for(20, sub { reloads() > $before }), 'the server is reloaded');
}

# piece(TARGET, FROM, HEADERS, BYTES): what comes of the body until BYTES are there, and the status.
sub piece ($target, $from, $headers, $bytes, $meanwhile = undef) {
    my $http = $server->connect(undef, rcvbuf => 65536, timeout => deadline(30));
    my $limit = time + deadline(30);
    $http->send("GET $target HTTP/1.1\r\nHost: a\r\n" . join('', map { "$_\r\n" } ($from ? "Range: bytes=$from-" : ()), @$headers) . "\r\n");
    my $head = $http->_head($limit);
    return ('', $head->{error}) if $head->{error};
    return ('', $head->{status}, $head) if $head->{status} != ($from ? 206 : 200);
    my $chunk = $head->{headers}{'content-length'};
    ($chunk) = map { hex } ($http->_line($limit) // '') =~ /\A([0-9a-f]+)\r\n\z/ if !defined $chunk;
    return ('', 'connection: no chunk') if !defined $chunk;
    $bytes = $chunk if $bytes > $chunk;    # there is one chunk
    $meanwhile->() if $meanwhile;
    $http->_need($bytes, $limit);          # or less, if it breaks
    my $got = substr $http->{buffer}, 0, $bytes;
    $http->reset;
    return ($got, $head->{status}, $head);
}

subtest 'the same bytes' => sub {
    for my $name ((sort keys %asked) x $rounds) {
        my $target = $asked{$name};
        my $whole = $server->connect(undef, timeout => deadline(60))->get($target);
        my ($n, $tag, $sum) = (length $whole->{body}, $whole->{headers}{etag}, sha256_hex($whole->{body}));
        cmp_ok($n, '>', 1_000_000, "$name: $n bytes");
        my ($have, $pieces, @wrong) = ('', 0);
        while (length $have < $n && !@wrong && ++$pieces < 40) {
            my $from = length $have;
            my $bytes = $pieces < 7 ? pick(0, 1, 63 + int rand 3, 1 + int rand 100_000, 1 + int rand($n / 3)) : $n;
            # What the server goes through: between two pieces, or in one.
            my $meanwhile = { 2 => sub { killed(int rand 2) }, 4 => \&reloaded, 5 => sub { grow(1000) } }->{$pieces};
            my ($in, $between) = chance(0.5) ? ($meanwhile) : (undef, $meanwhile);
            my @condition = $from ? pick('If-Range', 'If-Match') . ": $tag" : ();
            my ($got, $status, $head) = piece($target . pick('', '&framing=length'), $from, \@condition, $bytes, $in);
            # (It may have been the worker that was killed.)
            push @wrong, "piece $pieces: $status" if $status ne ($from ? 206 : 200) && !($in && $status =~ /connection/);
            push @wrong, "Content-Range: $head->{headers}{'content-range'}" if $status eq 206 && $head->{headers}{'content-range'} ne sprintf 'bytes %d-%d/%d', $from, $n - 1, $n;
            $have .= $got;
            $between->() if $between;
        }
        is("@wrong", '', "$name: taken up again");
        is(sha256_hex($have), $sum, "$name: the same in $pieces pieces");
    }
};

subtest 'not the same any more' => sub {
    my $path = "$data/coinbase/BIG/MD/" . file_of('price', day_of('2025-01-01'));
    my $bytes = read_file($path);
    my $target = $asked{'a day'};
    my $tag = $server->get($target)->{headers}{etag};
    write_file("$path.new", scalar reverse($bytes), OLD + 1);
    rename "$path.new", $path or die $!;
    is((piece($target, 1000, ["If-Match: $tag"], 10))[1], 412, 'If-Match: a 412');
    is((piece($target, 1000, ["If-Range: $tag"], 10))[1], 200, 'If-Range: the whole');
    write_file("$path.new", $bytes, OLD);
    rename "$path.new", $path or die $!;
    is((piece($target, 1000, ["$_: $tag"], 10))[1], 206, "$_: as it was") for 'If-Match', 'If-Range';
    # Today: a row within the range comes late.
    $target = $asked{'a past range of today'};
    $tag = $server->get($target)->{headers}{etag};
    grow(10);
    is((piece($target, 1000, ["If-Match: $tag"], 10))[1], 206, 'growth behind the range: the same');
    append_day("$data", 'coinbase/LIVE/MD', $today, { id => [1], time => [ $noon - 39_000 ] }, mtime => 'now');
    is((piece($target, 1000, ["If-Match: $tag"], 10))[1], 412, 'a late row in it: a 412');
};

subtest 'curl -C -' => sub {
    run_command(5, 'curl', '--version')->{status} eq '0' or plan skip_all => 'no curl';
    my $there = scratch();
    for my $name (sort keys %asked) {
        my $whole = $server->connect(undef, timeout => deadline(60))->get($asked{$name});
        my $n = length $whole->{body};
        for my $cut (1, 1 + int rand($n - 1), $n - 1) {
            write_file("$there/part", substr $whole->{body}, 0, $cut);
            my $run = run_command(60, 'curl', '-sSf', '-C', '-', '-H', "If-Match: $whole->{headers}{etag}", '-o', "$there/part", '-w', '%{http_code}',
                'http://127.0.0.1:' . $server->port . $asked{$name});
            is($run->{out}, 206, "$name, cut off after $cut bytes: a part") or diag $run->{err};
            is(sha256_hex(read_file("$there/part")), sha256_hex($whole->{body}), "$name, cut off after $cut bytes: the same");
        }
    }
};

$server->stop_ok;
done_testing;
