#!/usr/bin/perl
# The access log: a line for each request and no more, whatever the request is made of, while the file is rotated and
# when the disk is full.

use v5.26;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use Tickd;
use Tickd::Data qw(sample read_file big_day);
use Time::HiRes ();

my $home = scratch();
sample("$home");
my $query = '/api/data?symbol=BTC-USD&type=MD&columns=time&start=2025-01-01&end=2025-01-07';

my $quoted = qr/"((?:[ !#-\[\]-~]|\\x[0-9a-f]{2})*)"/;
my $combined = qr/\A(\S+) - - \[\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000\] $quoted (\d{3}) (\d+) $quoted $quoted (\d+) (\d+) (\d+) (hit|cold|-) (\S+) (whole|aborted|cut)\z/;
my @fields = qw(peer request status sent referer agent us rows length cache id end);

# parse(LINE): its fields; those of a combined line without escapes.
sub parse ($line) {
    if ($line =~ /\A\{/) {
        my $json = eval { decode_json($line) } // return { bad => $line };
        return join(' ', sort keys %$json) eq join(' ', sort @fields, 'time') ? $json : { bad => $line };
    }
    my @values = $line =~ $combined or return { bad => $line };
    my %field;
    @field{@fields} = map { s/\\x(..)/chr hex $1/ger } @values;
    return \%field;
}

sub lines_of ($path) { return map { parse($_) } split /\n/, read_file($path) }

# start(DIR, OPTIONS): a server with a log in DIR.
sub start ($dir, %opt) {
    return Tickd->start(data => $opt{home} // "$home", workers => 2, admin => "unix:$dir/admin", %opt,
        options => [ "access_log=$dir/access.log", @{ $opt{options} // [] } ]);
}

# ask(SERVER, BYTES): what it sends until it closes.
sub ask ($server, $request) {
    my $http = $server->connect;
    $http->send($request);
    my $answer = $http->drain;
    $http->close;
    return $answer;
}

sub metric ($server, $dir, $name) {
    my ($value) = $server->connect("unix:$dir/admin")->get('/metrics')->{body} =~ /^tickd_$name (\d+)$/m;
    return $value;
}

# The harness asks for /health.
sub no_health (@lines) { return grep { ($_->{request} // '') !~ m{\AGET /(?:health|metrics) } } @lines }

for my $format (qw(combined json)) {
    subtest "$format: what a line says" => sub {
        my $dir = scratch();
        my $server = start($dir, options => ["access_log_format=$format"]);
        my $http = $server->connect;
        my $r = $http->get($query, 'User-Agent' => 'test "one"', Referer => 'https://example.org/?a=b', 'X-Request-Id' => 'my-id');
        my $rows = parse_raw($r->{body})->{json}{columns}[0]{num_records};
        my $none = $http->get('/nowhere');
        $http->send("HEAD $query&framing=length HTTP/1.1\r\nHost: a\r\n\r\n");
        my $head = $http->response('HEAD');
        ask($server, "POST /api/data HTTP/1.0\r\n\r\n");
        $http->get($query =~ s/BTC-USD/NONE/r);
        $http->get('/api/symbols');
        $http->get($query, 'If-None-Match' => $r->{headers}{etag}, 'X-Request-Id' => 'my-id-again');
        is($server->stop, 0, 'it stops');
        my @lines = no_health(lines_of("$dir/access.log"));
        is(scalar @lines, 7, 'a line for each request') or diag explain \@lines;
        my ($data) = grep { ($_->{id} // '') eq 'my-id' } @lines;
        is_deeply({ %$data{qw(peer request status sent referer agent rows length end)} },
            { peer => '127.0.0.1', request => "GET $query HTTP/1.1", status => 200, sent => length $r->{body}, referer => 'https://example.org/?a=b',
              agent => 'test "one"', rows => $rows, length => length $r->{body}, end => 'whole' }, 'a query');
        like($data->{us}, qr/\A[1-9]\d*\z/, 'with its time');
        my ($other) = grep { $_->{request} =~ m{ /nowhere } } @lines;
        is("$other->{request} $other->{sent} $other->{rows} $other->{id} $other->{agent}",
            "GET /nowhere HTTP/1.1 " . length($none->{body}) . " 0 $none->{headers}{'x-request-id'} " . ($format eq 'json' ? '' : '-'), 'an error');
        my ($empty) = grep { ($_->{request} // '') =~ /\AHEAD/ } @lines;
        is("$empty->{sent} $empty->{length}", "0 $head->{headers}{'content-length'}", 'a HEAD');
        my ($post) = grep { $_->{status} == 405 } @lines;
        is($post->{request}, 'POST /api/data HTTP/1.0', 'a method that is not served');
        my $nothing = $format eq 'json' ? '' : '-';
        is_deeply([ grep { $_->{cache} ne $nothing && $_->{request} !~ /\A(?:GET|HEAD) \Q$query\E/ } @lines ], [], 'what is no data has no cache state');
        like($_->{cache}, qr/\A(?:hit|cold)\z/, "what is has one: $_->{status}") for grep { $_->{request} =~ /\A(?:GET|HEAD) \Q$query\E/ } @lines;
        my ($same) = grep { $_->{id} eq 'my-id-again' } @lines;
        is("$same->{status} $same->{rows}", '304 0', 'also if it has not changed');
    };

    subtest "$format: hostile bytes" => sub {
        my $dir = scratch();
        my $server = start($dir, options => ["access_log_format=$format", 'header_timeout=300ms']);
        my $all = join '', map { chr } grep { $_ != 10 && $_ != 13 } 1 .. 255;
        my $sent = 0;
        for my $request (
            "GET /\" 200 0 \"-\" \"-\" HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /%0a127.0.0.1%20-%20- HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            "GET /\\x22 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nUser-Agent: \"\\\" 7 7 7 hit x whole\r\nReferer: \\\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nUser-Agent: \e[2J\x9b\xff\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Request-Id: a b\"c\r\n\r\n",
            "GET / HTTP/1.1\rGET /forged HTTP/1.1\r\nHost: a\r\n\r\n",
            "$all\r\n\r\n", "\0\0\0\r\n\r\n", "\x16\x03\x01\x02\r\n\r\n",
            'GET /' . 'x' x 7000 . " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            "GET /half",
            map { my $c = chr; "GET /$c HTTP/1.1\r\nHost: a\r\nConnection: close\r\nUser-Agent: x$c\r\n\r\n" } 0 .. 255,
        ) {
            ask($server, $request);
            $sent++;
        }
        is($server->stop, 0, 'it stops');
        my $text = read_file("$dir/access.log");
        unlike($text, qr/[^\n -~]/, 'nothing but printable bytes') if $format eq 'combined';
        unlike($text, qr/[\0-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]/, 'no control characters');
        my @lines = lines_of("$dir/access.log");
        is(scalar(grep { $_->{bad} } @lines), 0, 'every line is whole') or diag explain [ grep { $_->{bad} } @lines ];
        is(scalar(no_health(@lines)), $sent, 'there are as many as requests');
    };
}

# load(SERVER, SECONDS, CODE): requests over connections that stay, from two processes, while CODE runs; how many were
# answered. Each has an id of its own.
sub load ($server, $code) {
    my @children;
    $server->port;
    for my $child (1 .. 2) {
        pipe my $read, my $write or die $!;
        my $pid = fork // die $!;
        if (!$pid) {
            my ($stop, $count) = (0, 0);
            local $SIG{TERM} = sub { $stop = 1 };
            my $http = $server->connect;
            while (!$stop) {
                my $r = $http->get("$query&_=" . 'x' x 100, 'X-Request-Id' => "c$child-$count");
                last if $r->{error} || $r->{status} != 200;
                $count++;
            }
            $http->close;
            syswrite $write, $stop ? $count : -1;
            POSIX::_exit(0);
        }
        close $write;
        push @children, [ $pid, $read ];
    }
    $code->();
    my $count = 0;
    for (@children) {
        my ($pid, $read) = @$_;
        kill 'TERM', $pid;
        my $said = <$read> // -1;
        waitpid $pid, 0;
        return -1 if $said < 0;
        $count += $said;
    }
    return $count;
}

subtest 'USR1 under load loses and doubles no line' => sub {
    my $dir = scratch();
    my $server = start($dir);
    my @files = ("$dir/access.log");
    my $count = load($server, sub {
        for my $round (1 .. 8) {
            wait_for(20, sub { -s "$dir/access.log" > 5000 }) or diag 'too little is written';
            rename "$dir/access.log", "$dir/access.log.$round" or die $!;
            push @files, "$dir/access.log.$round";
            $server->signal('USR1');
            wait_for(20, sub { -e "$dir/access.log" }) or diag 'no new file';
        }
    });
    cmp_ok($count, '>', 100, 'requests were answered');
    my $dropped = metric($server, $dir, 'log_lines_dropped_total');
    is($server->stop, 0, 'it stops');
    my @lines = map { lines_of($_) } @files;
    is(scalar(grep { $_->{bad} } @lines), 0, 'every line is whole');
    my %seen;
    $seen{ $_->{id} }++ for grep { $_->{id} =~ /\Ac[12]-/ } @lines;
    is(scalar(grep { $_ != 1 } values %seen), 0, 'none is there twice');
    is(scalar keys %seen, $count - $dropped, 'all are there');
    is($dropped, 0, 'none was dropped');
};

subtest 'answers that are not sent whole' => sub {
    my $dir = scratch();
    my $data = scratch();
    big_day("$data", 'coinbase/BIG/MD', '2025-01-02', 100, 'price');
    my $server = start($dir, home => "$data");
    my $big = '/api/data?symbol=BIG&type=MD&columns=price&start=2025-01-02&end=2025-01-02';
    my $given_up = $server->connect(undef, rcvbuf => 4096);
    $given_up->send("GET $big HTTP/1.1\r\nHost: a\r\n\r\n");
    $given_up->_need(10000, Time::HiRes::time() + deadline(10));
    $given_up->reset;
    my @lines;
    ok(wait_for(10, sub { @lines = no_health(lines_of("$dir/access.log")); @lines == 1 }), 'a line comes without a stop');
    is("$lines[0]{status} $lines[0]{end}", '200 aborted', 'the client went away');
    cmp_ok($lines[0]{sent}, '>=', 9000, 'after so many bytes');
    cmp_ok($lines[0]{sent}, '<', $lines[0]{length}, 'of more');

    my $cut = $server->connect(undef, rcvbuf => 4096);
    $cut->send("GET $big HTTP/1.1\r\nHost: a\r\n\r\n");
    $cut->_need(10000, Time::HiRes::time() + deadline(10));
    truncate glob("$data/coinbase/BIG/MD/price.*.bin"), 4096 or die $!;
    $cut->drain;
    ok(wait_for(10, sub { @lines = no_health(lines_of("$dir/access.log")); @lines == 2 }), 'another line');
    is("$lines[1]{status} $lines[1]{end}", '200 cut', 'the file was cut off');
    is($server->stop, 0, 'it stops');
};

subtest 'the disk is full' => sub {
    my $dir = scratch();
    my $disk = "$dir/disk";
    mkdir $disk;
    plan skip_all => 'no tmpfs may be mounted here' if system("mount -t tmpfs -o size=64k none $disk 2>/dev/null") != 0;
    my $server = Tickd->start(data => "$home", workers => 2, admin => "unix:$dir/admin", options => ["access_log=$disk/access.log"]);
    my $http = $server->connect;
    my ($asked, $bad) = (0, 0);
    my $ask = sub ($count) {
        for (1 .. $count) {
            $bad++ if $http->get("$query&_=" . 'x' x 300)->{status} != 200;
            $asked++;
        }
    };
    $ask->(600);
    ok(wait_for(20, sub { metric($server, $dir, 'log_lines_dropped_total') > 0 }), 'lines are dropped, and counted');
    is($bad, 0, 'all are served');
    like($server->log_text, qr/cannot write to the access log \Q$disk\E\S+: lines are dropped until it can be: No space left/, 'it is said');
    system("mount -o remount,size=4m $disk");
    $ask->(100);
    is($bad, 0, 'and served');
    ok(wait_for(20, sub { $server->log_text =~ /is written to again/ }), 'once there is room, it is written to again') or $server->dump_log;
    my $counted = metric($server, $dir, 'log_lines_dropped_total');
    is($server->stop, 0, 'it stops');
    my @lines = grep { ($_->{bad} // 'x') !~ /\A *\z/ } lines_of("$disk/access.log");
    is(scalar(grep { $_->{bad} } @lines), 0, 'every line is whole');
    is(scalar(grep { ($_->{request} // '') =~ /&_=xxx/ } @lines) + $counted >= $asked, 1, 'each was written or counted');
    system("umount $disk");
};

subtest 'a log that cannot be opened' => sub {
    my $run = run_tickd(20, '-f', '-d', "$home", '-l', '127.0.0.1:0', '-o', 'admin_listen=off', '-o', 'access_log=/nowhere/at/all');
    is($run->{status}, 1, 'keeps the server from starting');
    like($run->{err}, qr{cannot open the access log /nowhere/at/all: No such file}, 'and is named');
};

subtest 'without a log' => sub {
    my $server = Tickd->start(data => "$home", workers => 1);
    is($server->get($query)->{status}, 200, 'it serves');
    my ($worker) = $server->workers;
    is(scalar(grep { (readlink($_) // '') =~ /timerfd/ } glob "/proc/$worker/fd/*"), 0, 'there is nothing of one');
    $server->stop_ok;
};

done_testing;
