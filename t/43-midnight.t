#!/usr/bin/perl
# A clock that is set by hand goes over midnight, and back: when a day is live, when it is closed, and what that does to
# answers, to their tags, and to how long they may be kept.

use v5.26;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use Tickd;
use Tickd::Data qw(write_day append_day big_day write_file read_file day_of iso_of midnight file_of OLD);
use Tickd::Http qw(url show);
use Tickd::Oracle;
use Time::HiRes qw(time);
use Time::Local qw(timegm_modern);

my $D = '2025-06-30';    # the day that this is about
my ($before, $after) = map { iso_of(day_of($D) + $_) } -1, 1;
my $home = scratch();
my $clock;

# at('07-01 00:14:59'): seconds since the epoch.
sub at ($text) {
    my ($month, $day, $hour, $minute, $second) = $text =~ /\A(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)\z/ or die "no time: $text";
    return timegm_modern($second, $minute, $hour, $day, $month - 1, 2025);
}

# set(TEXT): what the servers' clock shows from now on, until it is set again.
sub set ($text) {
    $clock = at($text);
    open my $file, '+<:raw', "$home/clock" or die $!;
    syswrite $file, pack 'q', $clock;
    return;
}

# changed(SERIES, DAY, TIME): when all of its files were modified last; or only those of some columns.
sub changed ($series, $day, $time, @columns) {
    my @files = map { glob $home . "/data/$series/" . file_of($_, day_of($day)) } @columns ? @columns : '*';
    utime at($time), at($time), @files or die "no files of $series";
    return;
}

# start(OPTIONS): a server, and its oracle.
our $workers = 2;
sub start (@options) {
    local $ENV{TICKD_CLOCK} = "$home/clock";
    my %set = map { /\A(\w+)=(\d+)s\z/ } @options;
    my $server = Tickd->start(data => "$home/data", workers => $workers, options => \@options, program => 't/tickd_clocked');
    my $oracle = Tickd::Oracle->new(data => "$home/data", live_grace => $set{live_grace} // 900, live_window => $set{live_window} // 60);
    return ($server, $oracle);
}

# Whole days; one on which columns differ in length, by records and by a part of one; and a large one.
write_file("$home/clock", pack 'q', 0);
my @row = 0 .. 99;
for my $day (map { iso_of(day_of($D) + $_) } -4 .. 0) {
    my %columns = (time => [ map { midnight($day) + 800 * $_ } @row ], id => [ map { 1000 * day_of($day) + $_ } @row ], price => [ @row ]);
    write_day("$home/data", 'coinbase/WHOLE/MD', $day, \%columns);
    write_day("$home/data", 'coinbase/ODD/MD', $day, \%columns);
}
truncate "$home/data/coinbase/ODD/MD/" . file_of('id', day_of($D)), 8 * 90 or die $!;
truncate "$home/data/coinbase/ODD/MD/" . file_of('price', day_of($D)), 4 * 80 + 3 or die $!;
set('06-30 12:00:00');

our ($server, $oracle) = start();
our @http = map { $server->connect(undef, timeout => deadline(30)) } 1 .. 4;    # kept: no clock ends them
my @pids = $server->workers;

sub query (%change) { return (symbol => 'ODD', type => 'MD', columns => 'id,price', start => $D, end => $D, %change) }

# ask(QUERY): as the oracle says, on one of the connections that are kept.
sub ask ($name, %query) {
    my @query = map { $_ => $query{$_} } sort keys %query;
    push @http, my $http = shift @http;
    my $r = $http->get(url('/api/data', @query));
    local $oracle->{now} = $clock;
    is_answer($r, $oracle->answer(@query), $name);
    return $r;
}

sub rows ($r) { return ($r->{body} // '') =~ /"num_records":(\d+)/ ? $1 : show($r->{body}) }

sub is_live ($name, $whole_day = 1) {
    for my $missing (qw(error skip prefix)) {
        my $r = ask("$name, missing=$missing: as the oracle says", query(missing => $missing));
        is(rows($r), 80, "$name: live, what all columns have");
        is($r->{headers}{'cache-control'}, 'no-cache', "$name: no-cache");
    }
    is(rows(ask("$name: one column", query(columns => 'id'))), 90, "$name: one column, what it has") if $whole_day;
    is(rows(ask("$name: time alone", query(columns => 'time'))), 100, "$name: time alone");
    return;
}

sub is_closed ($name) {
    my $text = is_error(ask("$name: error as the oracle says", query()), 500, undef, "$name: closed, and damaged");
    like($text, qr{coinbase/ODD/MD/id\.30\.06\.25\.bin}, "$name: the file is named");
    unlike($text, qr/\Q$home\E/, "$name: and not where DATA is");
    my $r = ask("$name: skip as the oracle says", query(start => $before, missing => 'skip'));
    is_deeply(parse_raw($r->{body})->{json}{skipped_days}, [$D], "$name: skip leaves the day out");
    $r = ask("$name: prefix as the oracle says", query(missing => 'prefix'));
    is(rows($r), 80, "$name: prefix serves what all have");
    is_deeply(parse_raw($r->{body})->{json}{skipped_days}, [], "$name: and lists nothing");
    is(rows(ask("$name: time alone", query(columns => 'time'))), 100, "$name: time alone is whole");
    return;
}

# coverage(DAY): whether it says that the day is live.
sub coverage ($of, $day) {
    my $r = $of->get('/api/coverage?symbol=ODD&type=MD');
    my ($found) = grep { $_->{day} eq $day } @{ decode_json($r->{body})->{days} };
    return $found->{live} ? 'live' : 'closed';
}

subtest 'when a day is live' => sub {
    for my $step (
        # clock             last change      in which files
        [ '06-30 12:00:00', '06-30 11:00:00', 'live', 'today' ],
        [ '06-30 23:59:59', '06-30 11:00:00', 'live', 'the last second of today' ],
        [ '07-01 00:00:00', '06-30 11:00:00', 'live', 'midnight: yesterday has its time of grace' ],
        [ '07-01 00:14:59', '06-30 11:00:00', 'live', 'the last second of it' ],
        [ '07-01 00:15:00', '06-30 11:00:00', 'closed', 'that is over' ],
        [ '07-01 00:15:00', '07-01 00:14:01', 'live', 'its files have changed in the last minute' ],
        [ '07-01 00:15:00', '07-01 00:14:00', 'closed', 'they have not' ],
        [ '07-01 00:15:00', '07-01 00:14:01', 'live', 'only price has', 'price' ],
        [ '07-01 00:16:00', '07-01 00:14:01', 'closed', 'a minute later' ],
        [ '07-01 00:20:00', '07-01 00:19:59', 'live', 'only time has', 'time' ],
        [ '07-01 12:00:00', '07-01 00:19:59', 'closed', 'noon' ],
        [ '07-01 23:59:59', '07-01 00:19:59', 'closed', 'the next midnight comes' ],
        [ '07-02 00:00:00', '07-01 00:19:59', 'closed', 'the next midnight' ],
        [ '07-02 00:15:00', '07-01 00:19:59', 'closed', 'and after' ],
        [ '06-30 12:00:00', '06-30 11:00:00', 'live', 'the clock is set back: today' ],
        [ '06-29 12:00:00', '06-28 11:00:00', 'closed', 'further: its files are of tomorrow, and rest' ],
        [ '06-29 12:00:00', '06-30 11:00:00', 'live', 'their time is yet to come' ],
        [ '07-03 00:00:00', '06-30 11:00:00', 'closed', 'and forward again' ],
      )
    {
        my ($time, $change, $what, $name, @columns) = @$step;
        set($time);
        changed('coinbase/ODD/MD', $D, '06-30 11:00:00') if @columns;
        changed('coinbase/ODD/MD', $D, $change, @columns);
        $what eq 'live' ? is_live("$time: $name", !@columns || $columns[0] eq 'time') : is_closed("$time: $name");
        is(coverage($server, $D), $what, "$time: $name: /api/coverage agrees");
    }
    # A file that was not asked for does not count.
    set('07-01 00:20:00');
    changed('coinbase/ODD/MD', $D, '06-30 11:00:00');
    changed('coinbase/ODD/MD', $D, '07-01 00:19:50', 'id');
    is(rows(ask('another column', query(columns => 'price', missing => 'prefix'))), 80, 'a column that was not asked for does not count: prefix');
    is_error(ask('another column', query(columns => 'price')), 500, undef, 'a column that was not asked for does not count: error');
    is(rows(ask('the column', query(columns => 'id'))), 90, 'one that was does');
};

subtest 'as it is configured' => sub {
    for my $setting (
        [ [ 'live_grace=3600s', 'live_window=10s' ], '07-01 00:59:59', '07-01 01:00:00', '07-01 01:00:09', '07-01 01:00:10' ],
        [ [ 'live_grace=0s', 'live_window=300s' ], '06-30 23:59:59', '07-01 00:00:00', '07-01 00:04:59', '07-01 00:05:00' ],
      )
    {
        my ($options, $live, $closed, $still, $settled) = @$setting;
        local ($server, $oracle) = start(@$options);
        local @http = map { $server->connect } 1 .. 4;
        changed('coinbase/ODD/MD', $D, '06-30 11:00:00');
        set($live);
        is_live("@$options, $live");
        set($closed);
        is_closed("@$options, $closed");
        changed('coinbase/ODD/MD', $D, $closed);
        set($still);
        is_live("@$options, $still");
        set($settled);
        is_closed("@$options, $settled");
        $server->stop_ok("the server with @$options");
    }
};

# What is known of files for as long as revalidate says must not outlive the day's being live, or closed.
subtest 'by the clock alone' => sub {
    changed('coinbase/ODD/MD', $D, '06-30 11:00:00');
    set('06-30 12:00:00');
    local ($server, $oracle) = start('revalidate=1h');
    local @http = map { $server->connect } 1 .. 4;
    for my $step (
        [ '06-30 12:00:00', 'live' ], [ '07-01 00:15:00', 'closed' ], [ '07-01 00:14:59', 'live' ], [ '07-05 00:00:00', 'closed' ],
        [ '06-30 12:00:00', 'live' ], [ '07-02 00:00:00', 'closed' ],
      )
    {
        my ($time, $what) = @$step;
        set($time);
        $what eq 'live' ? is_live("$time, $_") : is_closed("$time, $_") for 'asked', 'asked again', 'and again';
    }
    $server->stop_ok('the server that looks at files once an hour');
};

# whole(NAME, QUERY): of the days whose columns are equally long: [tag, Cache-Control].
sub whole ($name, %query) {
    my $r = ask($name, symbol => 'WHOLE', type => 'MD', columns => 'price,time', start => $D, end => $D, %query);
    return @{ $r->{headers} }{qw(etag cache-control)};
}

subtest 'tags and how long to keep' => sub {
    my @query = (
        [ 'the day' ], [ 'its morning', end => midnight($D) + 40_000 ], [ 'every third row', max_points => 34 ], [ 'its last rows', tail => 3 ],
        [ 'with the day before', start => $before ], [ 'the day before', start => $before, end => $before ],
    );
    my (%live, %closed);
    changed('coinbase/WHOLE/MD', $D, '06-30 23:59:58');
    for my $time ('06-30 23:59:59', '07-01 00:00:00', '07-01 00:14:59') {
        set($time);
        for my $query (@query) {
            my ($name, %query) = @$query;
            my ($tag, $control) = whole("$time, $name", %query);
            is($live{$name} //= $tag, $tag, "$time, $name: one tag while it is live");
            is($control, 'no-cache', "$time, $name: no-cache");
        }
    }
    for my $time ('07-01 00:15:00', '07-01 12:00:00', '07-02 00:00:00', '07-02 00:14:59', '07-02 00:15:00', '07-03 10:00:00', '07-01 00:15:00') {
        set($time);
        for my $query (@query) {
            my ($name, %query) = @$query;
            my ($tag, $control) = whole("$time, $name", %query);
            is($closed{$name} //= $tag, $tag, "$time, $name: one tag when it is closed");
            # A full day before the first one that is live, or might be.
            my $last = $name eq 'the day before' ? $before : $D;
            my $keep = day_of($last) + 1 < int(($clock - 900) / 86400);
            is($control, $keep ? 'public, max-age=3600' : 'no-cache', "$time, $name: " . ($keep ? 'to be kept' : 'no-cache'));
        }
    }
    isnt($closed{'the day'}, $live{'the day'}, 'the tag of a closed day is another one');
    is($closed{'the day before'}, $live{'the day before'}, 'a day that was closed all the time keeps its own');

    # Who holds an answer from before it closed gets it once more, and then has the tag that lasts.
    my $target = url('/api/data', symbol => 'WHOLE', type => 'MD', columns => 'price,time', start => $D, end => $D);
    my $r = $server->get($target, 'If-None-Match' => $live{'the day'});
    is($r->{status}, 200, 'the tag of a live day does not match the closed one');
    is($server->get($target, 'If-None-Match' => $r->{headers}{etag})->{status}, 304, 'the new one does');
    is($server->get($target, Range => 'bytes=0-9', 'If-Range' => $live{'the day'})->{status}, 200, 'If-Range: the whole');
    is($server->get($target, Range => 'bytes=0-9', 'If-Range' => $closed{'the day'})->{status}, 206, 'If-Range: the part');

    # The clock goes back: live again, with the tag that it had; and forward.
    set('06-30 23:59:59');
    is((whole('set back'))[0], $live{'the day'}, 'set back: the tag of then');
    set('06-29 00:00:00');
    is((whole('set back further'))[1], 'no-cache', 'set back to the day before: no-cache');
    set('07-02 00:15:00');
    is((whole('forward'))[0], $closed{'the day'}, 'forward: the tag that lasts');
};

subtest 'recorders at midnight' => sub {
    my $series = 'coinbase/REC/MD';
    my $last = midnight($after) - 1;
    my $write = sub ($day, $first, $rows, @columns) {
        my %all = (time => [ map { $last - 5 + $_ } $first .. $first + $rows - 1 ], id => [ $first .. $first + $rows - 1 ], price => [ $first .. $first + $rows - 1 ]);
        append_day("$home/data", $series, $day, { $_ => $all{$_} }) for @columns;
        return;
    };
    my %query = (symbol => 'REC', type => 'MD', columns => 'time,id,price', start => $D, end => $after);
    # The lists of days are looked at now and then; a day that is live, always.
    # (One worker: another one, asked for the first time later on, would begin with a look.)
    local $workers = 1;
    my ($slow) = start('revalidate=1h');
    $workers = 2;
    set('06-30 23:59:50');
    write_day("$home/data", $series, $D, { map { $_ => [] } qw(time id price) });
    $write->($D, 0, 3, qw(time id price));
    changed($series, $D, '06-30 23:59:49');
    my $both = sub ($name, $rows, $slow_rows = $rows) {
        is(rows(ask($name, %query)), $rows, $name);
        is(rows($slow->get(url('/api/data', map { $_ => $query{$_} } sort keys %query))), $slow_rows, "$name, revalidate=1h") for 1 .. 4;
    };
    $both->('before midnight', 3);
    $write->($D, 3, 2, qw(time id));
    changed($series, $D, '06-30 23:59:59');
    set('07-01 00:00:00');
    $both->('midnight, in the middle of a block', 3);
    $write->($D, 3, 2, qw(price));
    changed($series, $D, '07-01 00:00:00');
    $both->('the rest of it comes', 5);
    $write->($after, 6, 4, qw(time id price));
    changed($series, $after, '07-01 00:00:01');
    set('07-01 00:00:02');
    $both->('the new day appears', 9, 5);
    set('07-01 00:10:00');
    $write->($D, 5, 1, qw(time id price));
    changed($series, $D, '07-01 00:09:59');
    $both->('the last block of yesterday, within the time of grace', 10, 6);
    my $day_of = sub { return (whole('of yesterday', symbol => 'REC', columns => 'time,id,price'))[0] };
    set('07-01 00:15:00');
    my $closed = $day_of->();
    set('07-01 00:30:00');
    is($day_of->(), $closed, 'it is closed');
    # Later still: live again, for a minute.
    $write->($D, 6, 2, qw(time));
    changed($series, $D, '07-01 00:30:00');
    is(rows(ask('a block after that', %query)), 10, 'a block after that: as far as all columns go');
    $write->($D, 6, 2, qw(price id));
    changed($series, $D, '07-01 00:30:01');
    is(rows(ask('all of it', %query)), 12, 'all of it');
    set('07-01 00:31:01');
    my $again = $day_of->();
    isnt($again, $closed, 'then closed, with another tag');
    set('07-05 00:00:00');
    is($day_of->(), $again, 'which it keeps');
    $slow->stop_ok('the server that looks less often');
};

subtest 'an answer that is under way' => sub {
    my $series = 'coinbase/BIG/MD';
    big_day("$home/data", $series, $D, 20, 'price', 'volume');
    set('06-30 23:59:59');
    changed($series, $D, '06-30 23:59:00');
    my @query = (symbol => 'BIG', type => 'MD', columns => 'time,price,volume', start => $D, end => $D);
    my $right = do { local $oracle->{now} = $clock; $oracle->answer(@query) };
    my @begun = map { $server->connect(undef, rcvbuf => 65536, timeout => deadline(30)) } 1 .. 3;
    for my $http (@begun) {
        $http->send('GET ' . url('/api/data', @query) . " HTTP/1.1\r\nHost: a\r\n\r\n");
        ok($http->_need(1, Time::HiRes::time() + deadline(10)), 'it begins');
    }
    set('07-01 00:00:00');
    is_answer($begun[0]->response, $right, 'midnight');
    append_day("$home/data", $series, $D, { time => [ midnight($after) - 1 ], price => [1], volume => [1] });
    changed($series, $D, '07-01 00:00:00');
    set('07-01 13:00:00');
    is_answer($begun[1]->response, $right, 'the day is closed, with another row');
    set('06-28 13:00:00');
    is_answer($begun[2]->response, $right, 'the clock goes back');
};

subtest 'all else that tells the time' => sub {
    for my $time ('07-01 00:00:00', '06-28 12:00:00', '07-09 12:00:00') {
        set($time);
        my $r = $server->get('/health');
        is($r->{status}, 200, "$time: /health");
        my @t = gmtime $clock;
        like($r->{headers}{date}, qr/\A\w{3}, @{[ sprintf '%02d', $t[3] ]} \w{3} 2025 @{[ substr $time, 6 ]} GMT\z/, "$time: Date");
        # Nothing can have been modified later than now.
        $r = ask("$time: data", symbol => 'REC', type => 'MD', columns => 'id', start => $D, end => $after);
        is($r->{headers}{'last-modified'}, $r->{headers}{date}, "$time: Last-Modified is not in the future") if $time lt '06-29';
        is($server->get('/api/status')->{status}, 200, "$time: /api/status");
        is($server->get('/api/symbols')->{status}, 200, "$time: /api/symbols");
    }
};

my @now = $server->workers;
is("@now", "@pids", 'the workers are the same');
is(scalar(grep { $_->{eof} } @http), 0, 'no connection was ended by a clock');
$server->stop_ok;
done_testing;
