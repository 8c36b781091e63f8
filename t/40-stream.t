#!/usr/bin/perl
# Large answers: whole and right, slow readers, clients that go away, files that change underneath.

use v5.26;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Tickd;
use Tickd::Data qw(sample big_day write_day append_day write_file read_file midnight day_of iso_of file_of OLD);
use Tickd::Http qw(url show);
use Tickd::Oracle;
use Time::HiRes qw(time);

my $data = scratch();
sample($data);
my $rows = big_day($data, 'coinbase/BIG/MD', '2025-01-01', 100, 'price', 'volume');
my $dir = "$data/coinbase/BIG/MD";
my %file = map { $_ => "$dir/" . file_of($_, day_of('2025-01-01')) } qw(time price volume);
my %bytes = map { $_ => read_file($file{$_}) } keys %file;
my $server = Tickd->start(data => $data, workers => 2);
my @workers = $server->workers;
my $small = '/api/data?symbol=BTC-USD&type=MD&columns=time,id&start=2025-01-01&end=2025-01-07';
my $small_right = Tickd::Oracle->new(data => $data)->answer(symbol => 'BTC-USD', type => 'MD', columns => 'time,id', start => '2025-01-01', end => '2025-01-07');

sub target {
    my %query = (symbol => 'BIG', type => 'MD', columns => 'time,price,volume', start => '2025-01-01', end => '2025-01-01', @_);
    return url('/api/data', map { $_ => $query{$_} } sort keys %query);
}

# whole(RESPONSE, NAME, COLUMNS): all of the big day.
sub whole {
    my ($r, $name, @columns) = @_;
    @columns = qw(time price volume) if !@columns;
    if ($r->{error} || $r->{status} != 200) {
        fail($name);
        diag $r->{error} // "status $r->{status}: " . show($r->{body});
        return 0;
    }
    my $line = index($r->{body}, "\n") + 1;
    my $at = $line;
    for my $column (@columns) {
        if (substr($r->{body}, $at, length $bytes{$column}) ne $bytes{$column}) {
            fail($name);
            diag "$column is wrong";
            return 0;
        }
        $at += length $bytes{$column};
    }
    return is(length $r->{body}, $at, $name);
}

# How many files and sockets a worker has open.
sub descriptors {
    my ($pid) = @_;
    opendir my $handle, "/proc/$pid/fd" or return -1;
    return scalar grep { /\A\d/ } readdir $handle;
}

# begun(SERVER, TARGET): a client that has the first bytes of an answer, and a small buffer for more.
sub begun {
    my ($from, $target) = @_;
    my $http = $from->connect(undef, rcvbuf => 65536, timeout => deadline(30));
    $http->send("GET $target HTTP/1.1\r\nHost: a\r\n\r\n");
    my $deadline = time + deadline(10);
    $http->_need(1, $deadline) or diag 'nothing comes';
    return $http;
}

sub calm {
    my ($name, $of, @pids) = @_;
    my @now = $of->workers;
    is("@now", "@pids", "$name: the workers are the same");
    is_answer($of->get($small), $small_right, "$name: and answer");
    return;
}

subtest '103 MB' => sub {
    my $http = $server->connect(undef, timeout => deadline(30));
    whole($http->get(target()), 'chunked');
    whole($http->get(target(framing => 'length')), 'length');
    is_answer($http->get($small), $small_right, 'then a small one on the same connection');
    $http->send("GET ${\target()} HTTP/1.0\r\n\r\n");
    whole($http->response, 'HTTP/1.0');
    $http = $server->connect(undef, timeout => deadline(60));
    $http->send("GET ${\target(columns => 'price')} HTTP/1.1\r\nHost: a\r\n\r\nGET $small HTTP/1.1\r\nHost: a\r\n\r\n" x 3);
    for (1 .. 3) {
        whole($http->response, "pipelined, big $_", 'price');
        is_answer($http->response, $small_right, "pipelined, small $_");
    }
    # A part in the middle, and a stride over all of it.
    my $from = midnight('2025-01-01') + 40_000;
    my $r = $http->get(target(columns => 'volume', start => $from, end => $from + 29_999));
    ok(substr($r->{body}, -12_000_000) eq substr($bytes{volume}, 4 * 100 * 40_000, 12_000_000), '12 MB from the middle');
    $r = $http->get(target(columns => 'price', max_points => 1000));
    my $stride = int(($rows + 999) / 1000);
    my $wanted = join '', map { substr $bytes{price}, 4 * $stride * $_, 4 } 0 .. int(($rows - 1) / $stride);
    ok(substr($r->{body}, -length $wanted) eq $wanted, 'max_points=1000 of 8.6 million');
    $r = $http->get(target(columns => 'price,time', tail => 1_000_000));
    ok(substr($r->{body}, -8_000_000) eq substr($bytes{price}, -4_000_000) . substr($bytes{time}, -4_000_000), 'the last million');
    calm('after that', $server, @workers);
};

subtest 'without sendfile' => sub {
    my $copying = Tickd->start(data => $data, workers => 1, options => ['sendfile=off']);
    my $http = $copying->connect(undef, timeout => deadline(30));
    whole($http->get(target()), 'chunked');
    whole($http->get(target(framing => 'length')), 'length');
    is_answer($http->get($small), $small_right, 'then a small one on the same connection');
    my $tail = $http->get(target(columns => 'price,time', tail => 1_000_000));
    ok(substr($tail->{body}, -8_000_000) eq substr($bytes{price}, -4_000_000) . substr($bytes{time}, -4_000_000), 'the last million');
    cut_short('truncated', $copying, sub { truncate $file{price}, 5_000_001 or die $! }, 'price');
    write_file($file{price}, $bytes{price}, OLD);
    whole($copying->get(target(columns => 'price')), 'mended', 'price');
    $copying->stop_ok;
};

subtest 'clients that do not read' => sub {
    my @stuck = map { begun($server, target()) } 1 .. 30;
    my $wrong = 0;
    for (1 .. 60) {
        $wrong++ if !is_answer($server->get($small), $small_right);
    }
    is($wrong, 0, 'thirty of them, and sixty other requests are answered');
    for my $pid (@workers) {
        open my $status, '<', "/proc/$pid/status" or next;
        my ($anonymous) = map { /\ARssAnon:\s+(\d+)/ ? $1 : () } <$status>;
        next if ($ENV{TICKD_WRAPPER} // '') ne '' || sanitized();
        cmp_ok($anonymous, '<', 200_000, "worker $pid holds no copies of what it sends ($anonymous KB)");
    }
    # Those who read after all get all of it.
    whole($stuck[$_]->response, "client $_ reads at last") for 0, 29;
    $_->close for @stuck;
    calm('after that', $server, @workers);
};

subtest 'many at once' => sub {
    my @children;
    for my $n (1 .. 6) {
        my $pid = fork // die $!;
        if (!$pid) {
            # No plan, no END, no output: only an exit status.
            my $column = (qw(time price volume))[ $n % 3 ];
            my $http = $server->connect(undef, timeout => deadline(30));
            my $bad = 0;
            for (1 .. 2) {
                my $r = $http->get(target(columns => $column));
                $bad = 1 if $r->{error} || substr($r->{body}, -length $bytes{$column}) ne $bytes{$column};
            }
            POSIX::_exit($bad);
        }
        push @children, $pid;
    }
    my $wrong = 0;
    for (1 .. 100) {
        $wrong++ if !is_answer($server->get($small), $small_right);
    }
    is($wrong, 0, 'a hundred small ones beside them are right');
    my $bad = 0;
    for (@children) {
        waitpid $_, 0;
        $bad++ if $?;
    }
    is($bad, 0, 'six clients get twice 35 MB each, right');
};

subtest 'clients that leave in the middle' => sub {
    my %before = map { $_ => descriptors($_) } @workers;
    for my $round (1 .. 40) {
        my $http = begun($server, target($round % 4 ? () : (framing => 'length')));
        $http->_need(1 + $round * 20_000, time + 5);
        $round % 2 ? $http->reset : $http->close;
    }
    for my $pid (@workers) {
        ok(wait_for(10, sub { descriptors($pid) <= $before{$pid} + 4 }), "worker $pid gives back all connections")
            or diag "$before{$pid} before, " . descriptors($pid) . ' now';
    }
    calm('after that', $server, @workers);
};

subtest 'send_timeout' => sub {
    my $strict = Tickd->start(data => $data, workers => 1, options => [ 'send_timeout=' . int(seconds(2)) . 's' ]);
    my ($worker) = $strict->workers;
    # What it keeps open of the files is open before we count.
    whole($strict->get(target()), 'a client that reads has all the time it needs');
    my $idle = $strict->connect;
    is_answer($idle->get($small), $small_right, 'an idle client');
    my $open = descriptors($worker);
    my $http = begun($strict, target());
    ok(wait_for(10, sub { descriptors($worker) <= $open }), 'a client that does not read is dropped');
    is_answer($idle->get($small), $small_right, 'an idle one is not');
    like($http->response->{error} // '', qr/./, 'it has only a part of its answer');
    calm('after that', $strict, $worker);
    $strict->stop_ok('the strict server');
};

subtest 'max_connections' => sub {
    my $narrow = Tickd->start(data => $data, workers => 1, options => ['max_connections=10']);
    my @clients;
    for (1 .. 10) {
        my $http = $narrow->connect;
        last if $http->get('/health')->{status} != 200;
        push @clients, $http;
    }
    cmp_ok(scalar @clients, '>=', 9, 'as many as are allowed');
    my @over = map { $narrow->connect } 1 .. 5;
    my $refused = 0;
    for my $http (@over) {
        my $r = $http->get('/health');
        $refused++ if $r->{status} == 503 && ($r->{headers}{'retry-after'} // '') =~ /\A[1-9]\d*\z/ && $r->{close};
        push @clients, $http if $r->{status} == 200;
    }
    cmp_ok($refused, '>=', 4, 'more get a 503 with Retry-After');
    is($clients[0]->get('/health')->{status}, 200, 'the first is not harmed');
    $_->close for @clients, @over;
    ok(wait_for(10, sub { my $http = $narrow->connect(undef, quietly => 1); $http && $http->get('/health')->{status} == 200 }), 'when they are gone, there is room');
    $narrow->stop_ok('the narrow server');
};

# cut_short(NAME, SERVER, CODE, COLUMN): an answer begins, CODE happens, the answer ends short, and holds nothing
# that was not on disk but zeros.
sub cut_short {
    my ($name, $of, $code, $column, @change) = @_;
    my $http = begun($of, target(columns => $column, @change));
    $code->();
    my $r = $http->response;
    like($r->{error} // 'whole', qr/short|of \d+ bytes|ends before/, "$name: the answer ends short") or return;
    my $from = index($r->{body}, "\n") + 1;
    my $part = substr $r->{body}, $from;
    my $same = 1;
    for (my $at = 0; $at < length $part; $at += 1 << 16) {
        my ($is, $was) = (substr($part, $at, 1 << 16), substr($bytes{$column}, $at, 1 << 16));
        next if $is eq substr $was, 0, length $is;
        # Each byte is what it was, or zero: the end of the last page, which other pages may follow that had left before.
        $same = 0 if grep { substr($is, $_, 1) ne "\0" && substr($is, $_, 1) ne substr($was, $_, 1) } 0 .. length($is) - 1;
    }
    ok($same, "$name: what came is what was there, or zeros");
    return;
}

subtest 'a file is truncated while it is served' => sub {
    for my $framing (qw(chunked length)) {
        for my $to (30_000_000, 5_000_001, 0) {
            my $name = "$framing, to $to bytes";
            cut_short($name, $server, sub { truncate $file{price}, $to or die $! }, 'price', framing => $framing);
            calm($name, $server, @workers);
            if ($framing eq 'chunked') {
                # What changed lately is live: a prefix. What did not is damaged.
                my $r = $server->get(target(columns => 'price'));
                is($r->{status}, 200, "$name: then it is a live day with fewer rows");
                is(length($r->{body}) - index($r->{body}, "\n") - 1, $to - $to % 4, "$name: as many as there are");
                utime OLD, OLD, $file{price};
                is_error($server->get(target(columns => 'price')), 500, undef, "$name: and a closed one is damaged");
            }
            write_file($file{price}, $bytes{price}, OLD);
            whole($server->get(target(columns => 'price')), "$name: mended", 'price');
        }
    }
    cut_short('time itself', $server, sub { truncate $file{time}, 4_000_000 or die $! }, 'time');
    utime OLD, OLD, $file{time};
    is_error($server->get(target(columns => 'price')), 500, undef, 'then its columns do not fit');
    calm('time itself', $server, @workers);
    write_file($file{time}, $bytes{time}, OLD);
    whole($server->get(target(columns => 'time')), 'mended', 'time');
};

subtest 'a file is truncated, and who asks next is not harmed, however long files are trusted' => sub {
    for my $case ([ on => [] ], [ off => [] ], [ on => [ tail => 2000 ] ], [ on => [ max_points => 100_000 ] ]) {
        my ($sendfile, $query) = @$case;
        my $name = "sendfile=$sendfile @$query";
        my $target = target(columns => 'price', @$query);
        my $trusting = Tickd->start(data => $data, workers => 1, options => [ 'revalidate=1h', "sendfile=$sendfile" ]);
        is($trusting->get($target)->{status}, 200, "$name: asked") for 1 .. 2;
        truncate $file{price}, 100_000 or die $!;
        my $r = $trusting->get($target);
        ok($r->{error} || $r->{status} == 503, "$name: there is not so much any more");
        $r = $trusting->get($target);
        is($r->{error} // $r->{status}, 200, "$name: then it is a live day with fewer rows");
        write_file($file{price}, $bytes{price}, OLD);
        $trusting->stop_ok;
    }
    # So few rows are kept: they are those that their tag stands for, until somebody finds out.
    my $trusting = Tickd->start(data => $data, workers => 1, options => ['revalidate=1h']);
    my ($few, $more) = map { target(columns => 'price', tail => $_) } 10, 2000;
    my ($before) = map { $trusting->get($few) } 1 .. 3;
    truncate $file{price}, 100_000 or die $!;
    my $r = $trusting->get($few);
    is_deeply([ $r->{status}, $r->{body}, $r->{headers}{etag} ], [ 200, $before->{body}, $before->{headers}{etag} ], 'few rows: as they were');
    $r = $trusting->get($more);
    ok($r->{error} || $r->{status} == 503, '... more: there is not so much any more');
    $r = $trusting->get($few);
    is($r->{error} // $r->{status}, 200, '... few: others');
    isnt($r->{headers}{etag}, $before->{headers}{etag}, '... under another tag');
    write_file($file{price}, $bytes{price}, OLD);
    $trusting->stop_ok;
};

subtest 'files are truncated and grow again all the time' => sub {
    # Small enough to be sent in one go, so that the server's own look at them is what is raced.
    my $race = scratch();
    sample($race);
    my $n = 86400;
    my $m = midnight('2025-01-05');
    my %columns = (time => [ map { $m + $_ } 0 .. $n - 1 ], price => [ (0) x $n ], id => [ 1 .. $n ]);
    write_day($race, 'coinbase/RACE/MD', '2025-01-05', \%columns);
    my $racing = Tickd->start(data => $race, workers => 2);
    my @pids = $racing->workers;
    my $child = fork // die $!;
    if (!$child) {
        my @files = map { "$race/coinbase/RACE/MD/" . file_of($_, day_of('2025-01-05')) } qw(time price id);
        my @whole = map { read_file($_) } @files;
        my $until = time + seconds(1.5);
        my $turn = 0;
        while (time < $until) {
            my $i = $turn++ % 3;
            truncate $files[$i], (0, 4096, 100_001, 4)[ $turn % 4 ];
            write_file($files[$i], substr($whole[$i], -s $files[$i]), undef, '>>');
        }
        POSIX::_exit(0);
    }
    my %seen;
    my $http = $racing->connect;
    while (waitpid($child, 1) == 0) {
        my $from = $m + int rand 86400;
        $http = $racing->connect if $http->{eof};
        my $r = $http->get(url('/api/data', symbol => 'RACE', type => 'MD', columns => 'time,id,price', start => $from, end => $from + 3600,
            rand() < 0.3 ? (max_points => 100) : (), missing => (qw(error skip prefix))[ rand 3 ]));
        $seen{ $r->{error} ? 'short' : $r->{status} == 503 && $r->{headers}{'retry-after'} ? 'later' : $r->{status} }++;
        if ($r->{error}) {
            $http->close;
            $http = $racing->connect;
        }
    }
    my @now = $racing->workers;
    is("@now", "@pids", 'no worker died: ' . join ', ', map { "$seen{$_} x $_" } sort keys %seen) or $racing->dump_log;
    is(scalar(grep { !/\A(?:200|500|short|later|404)\z/ } keys %seen), 0, 'and nothing else was answered');
    is_answer($racing->get($small), $small_right, 'it answers on');
    $racing->stop_ok('the racing server');
};

subtest 'a file is replaced while it is served' => sub {
    my $http = begun($server, target(columns => 'volume'));
    write_file("$file{volume}.tmp", 'x' x length $bytes{volume}, OLD);
    rename "$file{volume}.tmp", $file{volume} or die $!;
    my $r = $http->response;
    my $part = substr $r->{body}, index($r->{body}, "\n") + 1;
    ok($part eq substr($bytes{volume}, 0, length $part), 'the old bytes, never a mixture') or diag length $part;
    ok($r->{error} || length $part == length $bytes{volume}, $r->{error} ? 'ended short' : 'all of them');
    $r = $server->get(target(columns => 'volume'));
    is($r->{error}, undef, 'the next answer');
    ok(substr($r->{body}, -length $bytes{volume}) eq 'x' x length $bytes{volume}, 'has the new bytes');
    calm('after that', $server, @workers);
};

subtest 'a live day grows while it is served' => sub {
    write_file($file{volume}, $bytes{volume});
    utime time, time, values %file;
    my $http = begun($server, target());
    append_day($data, 'coinbase/BIG/MD', '2025-01-01', { time => [ midnight('2025-01-01') + 86399 ], price => [1], volume => [1] }, mtime => 'now');
    whole($http->response, 'the rows that there were, whole');
    my $r = $server->get(target());
    like($r->{body}, qr/"rows_in_range":${\($rows + 1)},/, 'the next answer has one more');
    calm('after that', $server, @workers);
};

subtest 'more day files than are kept open' => sub {
    my $many = scratch();
    my $first = day_of('2020-01-01');
    my $id = 0;
    for my $i (0 .. 399) {
        next if $i % 7 == 5;
        my $iso = iso_of($first + $i);
        write_day($many, 'coinbase/MANY/MD', $iso, { time => [ map { midnight($iso) + 100 * $_ } 0 .. 9 ], id => [ map { ++$id } 0 .. 9 ], price => [ 0 .. 9 ] });
    }
    my $oracle = Tickd::Oracle->new(data => $many);
    my @q = (symbol => 'MANY', type => 'MD');
    my @queries = ([ columns => 'id', start => 0, end => 4294967295 ], [ columns => 'time,id,price', start => '1999-01-01', end => '2098-12-31' ],
        [ columns => 'price,id', start => '2020-03-03', end => '2020-11-11', max_points => 77 ], [ columns => 'id,time', end => '2099-01-01', tail => 2000 ],
        [ columns => 'id', start => '2020-01-01', end => '2021-01-01', limit => 3000, framing => 'length' ]);
    my $open = Tickd->start(data => $many, workers => 1);
    for my $query (@queries) {
        is_answer($open->get(url('/api/data', @q, @$query)), $oracle->answer(@q, @$query), "400 days: @$query");
    }
    $open->stop_ok('the server that keeps them all');

    my $keeping = Tickd->start(data => $many, workers => 1, options => ['max_mapped=64']);
    for my $query (@queries) {
        my $r = $keeping->get(url('/api/data', @q, @$query));
        is_answer($r, $oracle->answer(@q, @$query), "64 files kept, more needed: right: @$query");
    }
    my @short = (@q, columns => 'time,id', start => '2020-05-05', end => '2020-05-15');
    for my $round (1 .. 100) {
        my $start = iso_of($first + $round * 3);
        my @query = (@q, columns => 'time,id', start => $start, end => iso_of($first + $round * 3 + 9));
        is_answer($keeping->get(url('/api/data', @query)), $oracle->answer(@query)) or fail("64 files kept: ten days from $start");
    }
    my $right = $oracle->answer(@short);
    my @parallel = map { $keeping->connect } 1 .. 8;
    $_->send('GET ' . url('/api/data', @short) . " HTTP/1.1\r\nHost: a\r\n\r\n") for @parallel;
    is(scalar(grep { is_answer($_->response, $right) } @parallel), 8, '64 files kept: eight at once');
    my ($worker) = $keeping->workers;
    cmp_ok(descriptors($worker), '<', 130, '64 files kept: few are open afterwards');
    $keeping->stop_ok('the server that keeps few');
};

$server->stop_ok;
done_testing;
