#!/usr/bin/perl
# Queries that are asked again are answered by what was found out before, for as long as "revalidate" lets that be
# trusted: the same bytes and fields as from a server that keeps nothing, and as the oracle's.

use v5.26;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use File::Path qw(make_path);
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Tickd;
use Tickd::Data qw(sample big_day write_day append_day write_file read_file midnight day_of iso_of file_of OLD);
use Tickd::Http qw(url show);
use Tickd::Oracle;
use Tickd::Random qw(seed pick chance random_series random_query);
use Time::HiRes qw(time);

my $seed = seed();
note "TICKD_SEED=$seed";
my $rounds = $ENV{TICKD_TEST_ROUNDS} || 1;
my $data = scratch();
sample("$data");
my $dir = "$data/coinbase/BTC-USD/MD";
my @types = map { "type=$_:$Tickd::Random::TYPES{$_}" } sort keys %Tickd::Random::TYPES;

# start(OPTIONS): a server with one worker, whose count of answers that were kept can be seen.
sub start ($of, @options) {
    my $home = scratch();
    my $server = Tickd->start(data => "$of", workers => 1, admin => "unix:$home/admin", options => [ @types, @options ]);
    $server->{admin_home} = $home;
    return $server;
}

sub hits ($server) {
    my $r = $server->connect($server->{admin})->get("/metrics");
    return $r->{body} =~ /^tickd_answer_cache_hits_total (\d+)$/m ? $1 : die "no count of hits: " . ($r->{error} // $r->{body});
}

sub query (%change) {
    my %query = (symbol => 'BTC-USD', type => 'MD', columns => 'time,price,id', start => '2025-01-01', end => '2025-01-02', %change);
    return map { $_ => $query{$_} } sort grep { defined $query{$_} } keys %query;
}

sub target (%change) { return url('/api/data', query(%change)) }

# seen(RESPONSE): all of it that two servers must agree on, as text.
sub seen ($r) {
    return "error: $r->{error}" if $r->{error};
    my %h = %{ $r->{headers} };
    delete @h{qw(date x-request-id)};
    return join "\n", "$r->{version} $r->{status}", (map { "$_: $h{$_}" } sort keys %h), $r->{framing}, $r->{body};
}

# ask(SERVER, REQUEST, METHOD): what comes for these bytes.
sub ask ($server, $request, $method = 'GET') {
    my $http = $server->connect;
    $http->send($request);
    return seen($http->response($method));
}

my $plain = start($data, 'revalidate=1h', 'answer_cache=0');

my %kinds = (
    'a day' => [ end => '2025-01-01' ], 'two days' => [], 'its length' => [ framing => 'length' ], 'a hole' => [ end => '2025-01-04' ],
    'all columns' => [ columns => 'id,nanos,volume,price,time' ], 'the first rows' => [ limit => 250 ], 'the last rows' => [ tail => 250 ],
    'picked rows' => [ max_points => 50 ], 'rows picked by nanoseconds' => [ start => '2025-01-01T10:10:00.2Z', end => '2025-01-02T10:20:00.15Z' ],
    'those, picked' => [ start => '2025-01-01T10:10:00.2Z', end => '2025-01-02T10:20:00.15Z', max_points => 11 ],
    'what is whole' => [ missing => 'prefix' ], 'a cache-buster' => [ _ => 5 ],
);

subtest 'the third time' => sub {
    my $server = start($data, 'revalidate=1h');
    my $oracle = Tickd::Oracle->new(data => "$data");
    my $http = $server->connect;
    for my $kind (sort keys %kinds) {
        my @query = query(@{ $kinds{$kind} });
        my $target = url('/api/data', @query);
        my $right = seen($plain->get($target));
        my $before = hits($server);
        my @answers = map { $http->get($target) } 1 .. 5;
        is(hits($server), $before + 3, "$kind: found out twice, then known");
        is_answer($answers[-1], $oracle->answer(@query), "$kind: as it is on disk");
        is(scalar(grep { seen($_) eq $right } @answers), 5, "$kind: the same as without");
    }
    # Another way to write a query is another query.
    my $before = hits($server);
    for my $written (target() =~ s/price/p%72ice/r, target() =~ s/%2C/,/gr, target() . '&', target(exchange => 'coinbase')) {
        is(seen($http->get($written)), seen($plain->get(target())), $written) for 1 .. 2;
    }
    is(hits($server), $before, 'they are looked at by themselves');
    $server->stop_ok;
};

subtest 'all manners of asking' => sub {
    my $server = start($data, 'revalidate=1h');
    for my $kind ('two days', 'its length', 'picked rows', 'those, picked') {
        my $target = target(@{ $kinds{$kind} });
        my $whole = $plain->get($target);
        my ($n, $tag, $date) = (length $whole->{body}, @{ $whole->{headers} }{qw(etag last-modified)});
        $server->get($target) for 1 .. 3;
        my $before = hits($server);
        my $asked = 0;
        for my $field ('', "If-None-Match: $tag", 'If-None-Match: "x"', "If-Modified-Since: $date", 'If-Match: "x"', "If-Match: $tag",
            'Range: bytes=0-0', 'Range: bytes=100-', 'Range: bytes=-100', "Range: bytes=$n-", "Range: bytes=300-900\r\nIf-Range: $tag",
            "Range: bytes=300-900\r\nIf-Range: \"x\"", 'Origin: http://example.org', 'Connection: close')
        {
            for my $method (qw(GET HEAD)) {
                for my $version ('1.1', '1.0') {
                    my $request = "$method $target HTTP/$version\r\nHost: a\r\n" . ($field && "$field\r\n") . "\r\n";
                    my ($is, $right) = map { ask($_, $request, $method) } $server, $plain;
                    is($is, $right, "$kind: $method, HTTP/$version, $field") if $is ne $right;
                    $asked++;
                }
            }
        }
        is(hits($server), $before + $asked, "$kind: each of $asked was known");
        my $http = $server->connect;
        $http->send("GET $target HTTP/1.1\r\nHost: a\r\n\r\n" x 20);
        is(scalar(grep { seen($http->response) eq seen($whole) } 1 .. 20), 20, "$kind: pipelined");
    }
    $server->stop_ok;
};

subtest 'what is never known' => sub {
    my $home = scratch();
    sample("$home");
    my $today = iso_of(int time / 86400);
    my $now = int time;
    write_day("$home", 'coinbase/NOW/MD', $today, { time => [$now], price => [1] });
    write_day("$home", 'coinbase/BTC-USD/MD', '2025-01-06', { time => [ midnight('2025-01-06') + 5 ], price => [1], volume => [1], id => [1], nanos => [0] }, mtime => 'now');
    write_day("$home", 'coinbase/BTC-USD/MD', '2025-02-01', { time => [ map { midnight('2025-02-01') + $_ } 1, 2 ], price => [1] });
    my %never = (
        'an unknown series' => [ symbol => 'NONE' ], 'a mistake' => [ limit => 0 ], 'no rows' => [ start => '2024-01-01', end => '2024-01-02' ],
        'today' => [ symbol => 'NOW', columns => 'time,price', start => $today, end => $today ], 'a day that grows' => [ start => '2025-01-06', end => '2025-01-06' ],
        'damage' => [ columns => 'price', start => '2025-02-01', end => '2025-02-01' ],
        'damage that is skipped' => [ columns => 'price', end => '2025-02-01', missing => 'skip' ],
    );
    for my $options ([ 'revalidate=1h' ], [ 'revalidate=0' ], [ 'revalidate=1h', 'answer_cache=0' ]) {
        my $server = start($home, @$options);
        my $http = $server->connect;
        my %asked = (%never, @$options > 1 || $options->[0] =~ /=0/ ? %kinds : ());
        for my $kind (sort keys %asked) {
            my %answers = map { my $r = $http->get(target(@{ $asked{$kind} })); delete $r->{headers}{etag}; seen($r) => 1 } 1 .. 5;
            is(keys %answers, 1, "@$options: $kind: always the same");
        }
        is(hits($server), 0, "@$options: nothing was taken as known");
        $server->stop_ok;
    }
};

# replace(SERIES, DAY, COLUMNS): a day replaced as a recorder should: time goes first and comes last.
sub replace ($of, $series, $iso, $columns) {
    my $new = scratch();
    write_day("$new", $series, $iso, $columns, types => \%Tickd::Random::TYPES);
    my @files = map { "$series/" . file_of($_, day_of($iso)) } sort { ($a eq 'time') <=> ($b eq 'time') } keys %$columns;
    make_path("$of/$series");
    unlink "$of/$files[-1]";
    for my $file (@files) {
        # Not by a link that could be told by its age.
        write_file("$of/$file~", read_file("$new/$file"), OLD);
        rename "$of/$file~", "$of/$file" or die "$file: $!";
    }
    return;
}

subtest 'as long as it is trusted' => sub {
    my $home = scratch();
    sample("$home");
    my $trusting = start($home, 'revalidate=1h');
    my $doubting = start($home, 'revalidate=30ms');
    my @targets = map { target(@$_) } [], [ max_points => 20 ], [ columns => 'id', end => '2025-01-01' ];
    my %first;
    for my $target (@targets) {
        $trusting->get($target) for 1 .. 2;
        $first{$target} = seen($trusting->get($target));
    }
    my $oracle = Tickd::Oracle->new(data => "$home");
    my @changes = (
        [ 'a day replaced' => sub { replace("$home", 'coinbase/BTC-USD/MD', '2025-01-01', { map { my $c = $_; $c => [ map { $c eq 'time' ? midnight('2025-01-01') + 100 + $_ : $_ } 1 .. 50 ] } qw(time nanos price volume id) }) } ],
        [ 'a late row in the day after' => sub { replace("$home", 'coinbase/BTC-USD/MD', '2025-01-03', { time => [ midnight('2025-01-03') - 1 ], map { $_ => [7] } qw(nanos price volume id) }) } ],
        [ 'a row appended' => sub { append_day("$home", 'coinbase/BTC-USD/MD', '2025-01-01', { time => [ midnight('2025-01-01') + 40000 ], map { $_ => [8] } qw(nanos price volume id) }, mtime => OLD + 60) } ],
        [ 'a day removed' => sub { unlink "$home/coinbase/BTC-USD/MD/" . file_of('time', day_of('2025-01-01')) or die $! } ],
    );
    for my $change (@changes) {
        my ($name, $do) = @$change;
        $do->();
        for my $target (@targets) {
            my @query = map { my ($k, $v) = split /=/; $k => $v =~ s/%2C/,/gr } split /&/, $target =~ s/.*\?//r;
            my $right = $oracle->answer(@query);
            ok(wait_for(10, sub { is_answer($doubting->get($target), $right) }), "$name: it shows");
            is_answer($doubting->get($target), $right, "$name: and stays");
            is(seen($trusting->get($target)), $first{$target}, "$name: not where that is not looked at");
        }
    }
    cmp_ok(hits($trusting), '>=', @targets * @changes, 'which was known');
    $_->stop_ok for $trusting, $doubting;
};

subtest 'slow readers of what is known no more' => sub {
    my $home = scratch();
    sample("$home");
    big_day("$home", 'coinbase/BIG/MD', '2025-01-01', 8, 'price', 'volume');
    my $target = target(symbol => 'BIG', columns => 'price,volume,time', end => '2025-01-01');
    my $server = start($home, 'revalidate=40ms', 'answer_cache=16k', 'max_mapped=64', 'max_series=1');
    my $first = $server->connect(undef, timeout => deadline(30))->get($target);
    is($first->{status}, 200, 'there is an answer') or diag show($first->{body});
    my $before = hits($server);
    my @slow;
    ok(wait_for(20, sub {
        my $http = $server->connect(undef, timeout => deadline(60), rcvbuf => 8192);
        $http->send("GET $target HTTP/1.1\r\nHost: a\r\n\r\n");
        $http->socket->blocking(1);
        sysread $http->socket, $http->{buffer}, 1000;
        $http->socket->blocking(0);
        push @slow, $http;
        return @slow >= 8 && hits($server) >= $before + 4;
    }), 'some read an answer that was known');
    # Meanwhile it is another one, its place is taken by others, and so are those of the series and its days.
    replace("$home", 'coinbase/BIG/MD', '2025-01-01', { time => [ midnight('2025-01-01') + 5 ], price => [1], volume => [2] });
    my $oracle = Tickd::Oracle->new(data => "$home");
    my $right = $oracle->answer(query(symbol => 'BIG', columns => 'price,volume,time', end => '2025-01-01'));
    ok(wait_for(10, sub { is_answer($server->get($target), $right) }), 'then it is another answer');
    my $http = $server->connect;
    for my $i (1 .. 100) {
        $http->get(target(_ => $i)) for 1 .. 3;
    }
    $_->reset for splice @slow, 0, 2;
    my $last = pop @slow;
    is(scalar(grep { my $r = $_->response; !$r->{error} && $r->{body} eq $first->{body} } @slow), scalar @slow, 'they get what they were promised');
    is_answer($server->get($target), $right, 'others what there is');
    $server->stop_ok('with an answer under way, it'); # $last's
    $last->close;
};

# --- At random, beside a server that looks at everything each time

sub random_data ($home, $count) {
    return grep { @{ $_->{days} } > 2 } map { random_series("$home", "S$_") } 1 .. $count;
}

# A change of one day of a series, undone by another one sooner or later: what it was, and whether it is seen as a
# whole or not at all. Of files that are written to in place, or of many days, each is looked at for itself.
sub change ($home, $series) {
    my $path = "rnd/$series->{symbol}/T";
    my $away = "$home.away-$series->{symbol}";
    make_path($away);
    my @days = @{ $series->{days} };
    my $day = pick(@days);
    my @columns = ((grep { $_ ne 'time' } @{ $series->{columns} }), $series->{nanos} ? 'nanos' : (), 'time');
    my %file = map { $_ => file_of($_, $day) } @columns;
    my $column = pick(@columns);
    my $kind = pick(qw(replace replace restore remove without append append old));
    if ($kind eq 'replace' || $kind eq 'append' || $kind eq 'old') {
        my %bytes = map { $_ => read_file("$home/$path/$file{$_}") // '' } @columns;
        my $rows = int length($bytes{time}) / 4;
        my %size = map { $_ => Tickd::Data::size_of(Tickd::Data::type_of('rnd', 'T', $_, \%Tickd::Random::TYPES)) } @columns;
        if ($kind eq 'replace') {
            my $from = int rand $rows + 1;
            my $keep = chance(0.3) ? $rows : $rows - $from;
            my %new;
            for my $c (@columns) {
                my $at = ($rows - $keep) * $size{$c};
                $new{$c} = \($at > length $bytes{$c} ? '' : scalar(chance(0.5) && $c ne 'time' ? reverse substr $bytes{$c}, $at : substr $bytes{$c}, $at));
            }
            replace("$home", $path, iso_of($day), \%new);
        } else {
            my $second = $rows ? unpack 'V', substr $bytes{time}, 4 * ($rows - 1), 4 : $day * 86400;
            for my $c (chance(0.7) ? @columns : $column) {
                next if !-e "$home/$path/$file{$c}";
                write_file("$home/$path/$file{$c}", $c eq 'time' ? pack('V', $second) : 'x' x $size{$c}, $kind eq 'old' ? OLD + 100 + int rand 1000 : undef, '>>');
            }
        }
    } elsif ($kind eq 'restore') {
        rename $_, "$home/$path/" . s{.*/}{}r or die "$_: $!" for sort { ($a =~ m{/time}) <=> ($b =~ m{/time}) } glob "$away/*";
    } else {
        # The day, by its time; or one column of it.
        rename "$home/$path/$file{$_}", "$away/$file{$_}" for $kind eq 'remove' ? 'time' : $column;
    }
    return ("$kind of $column, " . iso_of($day), $kind =~ /replace|remove|without/);
}

subtest 'random queries, random changes' => sub {
    my $home = scratch();
    my @series = random_data($home, 12);
    my $trust = seconds(0.04);
    # Days that changed just now are live for all the test.
    my @common = ('live_window=1d');
    my $right = start($home, @common, 'revalidate=0', 'answer_cache=0');
    my @servers = (
        start($home, @common, "revalidate=${\int($trust * 1000)}ms"),
        start($home, @common, "revalidate=${\int($trust * 1000)}ms", 'max_mapped=64', 'max_series=1', 'answer_cache=20k'),
    );
    my %http;
    my $get = sub ($server, $target) {
        my $http = $http{$server};
        $http = $http{$server} = $server->connect if !$http || $http->{eof};
        return seen($http->get($target));
    };
    my ($asked, $changes, $was, $wrong) = (0, 0, 0, '');
    while (!$wrong && $changes < 20 * $rounds) {
        my ($series, $quiet) = (pick(@series), pick(@series));
        my @targets = map { url('/api/data', random_query($series)) } 1 .. 4;
        my %before = map { $_ => $get->($right, $_) } @targets;
        for my $target (@targets) {
            for my $server (@servers) {
                $get->($server, $target) for 1 .. int rand 4;
            }
        }
        my ($what, $whole) = change($home, $series);
        my $changed = time;
        $changes++;
        my %after = map { $_ => $get->($right, $_) } @targets;
        # Until the old answers may not come any more, and a round after that. Others are what they are.
        for (my $rest = 2; !$wrong && $rest > 0;) {
            my $past = time > $changed + $trust + 0.03;
            $rest-- if $past;
            my $still = url('/api/data', random_query($quiet));
            for my $target ($quiet == $series ? () : $still, $past || $whole ? @targets : ()) {
                my ($old, $new) = $target eq $still ? ($get->($right, $still)) x 2 : ($before{$target}, $after{$target});
                for my $i (0 .. $#servers) {
                    for (1 .. 1 + rand 2) {
                        my $is = $get->($servers[$i], $target);
                        $asked++;
                        next if $is eq $new;
                        $was++, next if !$past && $is eq $old;
                        $wrong ||= "$target\n$what, server $i" . ($past ? ', past' : '') . "\n" . join "\n--\n", map { show($_) } $is, $new, $old;
                    }
                }
            }
        }
    }
    is($wrong, '', "$asked answers, of which $was were those before one of $changes changes") or diag "repeat with TICKD_SEED=$seed";
    cmp_ok(hits($servers[0]), '>', 0, 'some of which were known: ' . join ', ', map { hits($_) } @servers);
    $_->stop_ok for $right, @servers;
};

subtest 'random queries, nothing changes' => sub {
    my $home = scratch();
    my @series = random_data($home, 12);
    my @common = ('live_window=1d');
    my $right = start($home, @common, 'revalidate=0', 'answer_cache=0');
    my $server = start($home, @common, 'revalidate=1h');
    my $oracle = Tickd::Oracle->new(data => "$home", types => \%Tickd::Random::TYPES, live_window => 86400);
    my ($http, $other) = map { $_->connect } $server, $right;
    my ($wrong, $asked) = ('', 0);
    for (1 .. 200 * $rounds) {
        my @query = random_query(pick(@series));
        my $target = url('/api/data', @query);
        my $seen = seen($other->get($target));
        my $expected = $oracle->answer(@query);
        for (1 .. 1 + rand 5) {
            my $r = $http->get($target);
            $asked++;
            $wrong ||= "$target\n" . show(seen($r)) . "\n--\n" . show($seen) if seen($r) ne $seen;
            $wrong ||= "$target\n" . Tickd::wrong_answer($r, $expected) if !is_answer($r, $expected);
            ($http, $other) = map { $_->connect } $server, $right if $http->{eof} || $other->{eof};
        }
        last if $wrong;
    }
    is($wrong, '', "$asked answers") or diag "repeat with TICKD_SEED=$seed";
    cmp_ok(hits($server), '>', 0, 'some of which were known: ' . hits($server));
    $_->stop_ok for $server, $right;
};

$plain->stop_ok;
done_testing;
