package Tickd::Load;

# Clients that ask without a pause, know every byte of every answer, try nothing twice, and count. Each
# is a process of its own, so that a test can reload, upgrade and kill meanwhile.
#
# The data exist in variants, directories whose prices differ: an answer must be one of them, whole.

use v5.26;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use POSIX ();
use Test::More;
use Tickd;
use Tickd::Data qw(write_day midnight);
use Tickd::Http;
use Time::HiRes qw(time);

my $day = midnight('2025-01-01');
my ($rows, $big_rows) = (8192, 400_000);

# data(DIR, VARIANT): fill it.
sub data ($dir, $variant = 0) {
    my @row = 0 .. $rows - 1;
    write_day($dir, 'coinbase/LOAD/MD', '2025-01-01', {
        time => [ map { $day + $_ } @row ], price => \pack('V*', map { $_ + 1_000_000 * $variant } @row),
    });
    write_day($dir, 'coinbase/BIG/MD', '2025-01-01', {
        time => \pack('V*', map { $day + int($_ / 5) } 0 .. $big_rows - 1),
        price => \pack('V*', map { $_ + 1_000_000 * $variant } 0 .. $big_rows - 1),
    });
    return;
}

# target(FROM, COUNT): a query for so many rows.
sub target ($from, $count) {
    return "/api/data?symbol=LOAD&type=MD&columns=time,price&start=@{[ $day + $from ]}&end=@{[ $day + $from + $count - 1 ]}";
}

# wrong(RESPONSE, TIMES, PRICES, VARIANTS): what is wrong with it, or ''.
sub wrong ($r, $times, $prices, $variants) {
    return $r->{error} if defined $r->{error};
    return "status $r->{status}: $r->{body}" if $r->{status} != 200;
    my $raw = parse_raw($r->{body});
    return $raw->{error} if defined $raw->{error};
    return 'wrong times' if $raw->{data}{time} ne pack 'V*', @$times;
    for my $variant (0 .. $variants - 1) {
        return '' if $raw->{data}{price} eq pack 'V*', map { $_ + 1_000_000 * $variant } @$prices;
    }
    return 'wrong prices';
}

# start(KIND, ADDRESS, variants => N): a client. KIND: 'steady' (over connections kept as long as the server
# does, with pauses now and then), 'fresh' (one a request), 'slow' (large answers, read slowly), 'door' (as fresh, to
# an address that is not always there: what cannot be reached is no failure, but what was reached is).
sub start ($class, $kind, $address, %opt) {
    my $self = bless { kind => $kind, address => $address, variants => 1, %opt, dir => scratch() }, $class;
    $self->{pid} = fork // die "fork: $!";
    if (!$self->{pid}) {
        $self->run;
        POSIX::_exit(0);
    }
    return $self;
}

sub connect ($self) {
    my $address = $self->{address};
    my %where = $address =~ m{\Aunix:(.+)\z} ? (path => $1) : (host => $address =~ s/:\d+\z//r, port => $address =~ s/.*://r);
    return Tickd::Http->connect(%where, timeout => deadline(20), $self->{kind} eq 'slow' && !$where{path} ? (rcvbuf => 65536) : ());
}

# one(HTTP): ask once; what is wrong, or '', and whether the server closes.
sub one ($self, $http) {
    if ($self->{kind} eq 'slow') {
        $http->send("GET /api/data?symbol=BIG&type=MD&columns=time,price&start=2025-01-01&end=2025-01-01 HTTP/1.1\r\nHost: a\r\n\r\n");
        $http->_need(1, time + deadline(20));
        select undef, undef, undef, 0.3;
        my $r = $http->response;
        return (wrong($r, [ map { $day + int($_ / 5) } 0 .. $big_rows - 1 ], [ 0 .. $big_rows - 1 ], $self->{variants}), $r->{close});
    }
    my $count = 1 + int rand 400;
    my $from = int rand $rows - $count;
    my $r = $http->get(target($from, $count));
    my @row = $from .. $from + $count - 1;
    return (wrong($r, [ map { $day + $_ } @row ], \@row, $self->{variants}), $r->{close});
}

sub run ($self) {
    my ($http, $requests, $unreached, $used, @wrong) = (undef, 0, 0, 0);
    my $steady = $self->{kind} eq 'steady';
    srand $$;
    while (!-e "$self->{dir}/stop") {
        if (!$http) {
            $http = $self->connect;
            $used = 0;
            if (!$http) {
                $unreached++;
                push @wrong, "cannot connect: $!" if $self->{kind} ne 'door';
                select undef, undef, undef, 0.002;
                last if @wrong > 20;
                next;
            }
        }
        my ($why, $closes) = $self->one($http);
        $requests++;
        $used++;
        push @wrong, sprintf('%.3f request %d of its connection: %s', time, $used, $why) if $why ne '';
        last if @wrong > 20;
        undef $http if $closes || $why ne '' || !$steady;
        select undef, undef, undef, rand 0.1 if $steady && rand() < 0.05;
    }
    open my $file, '>', "$self->{dir}/result" or die $!;
    print {$file} join "\n", $requests, $unreached, @wrong;
    close $file;
    return;
}

# stop(): {requests, unreached, wrong => [...]}.
sub stop ($self) {
    Tickd::Data::write_file("$self->{dir}/stop", '');
    waitpid $self->{pid}, 0;
    my ($requests, $unreached, @wrong) = split /\n/, Tickd::_slurp("$self->{dir}/result");
    return { requests => $requests // 0, unreached => $unreached // 0, wrong => \@wrong };
}

# stop_ok(NAME): that nothing was wrong; the number of requests.
sub stop_ok ($self, $name = "$self->{kind} $self->{address}") {
    my $result = $self->stop;
    ok($result->{requests} > 0 && !@{ $result->{wrong} }, "$name: $result->{requests} requests, all answered and right")
        or diag join "\n", @{ $result->{wrong} };
    return $result->{requests};
}

# installed(PROGRAM)
sub installed ($program) { return scalar grep { -x "$_/$program" } split /:/, $ENV{PATH} }

# wrk(URL, SECONDS): starts it; wrk_ok(HANDLE, NAME): waits for its end, and its requests.
sub wrk ($address, $seconds) {
    return undef if !installed('wrk');
    my $pid = open my $out, '-|';
    defined $pid or die $!;
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        exec 'wrk', '-t1', '-c16', "-d${seconds}s", '--timeout', '20s', "http://$address" . target(100, 200) or POSIX::_exit(127);
    }
    return $out;
}

sub wrk_ok ($out, $name) {
    SKIP: {
        skip 'wrk is not installed', 1 if !$out;
        local $/;
        my $text = <$out> // '';
        close $out;
        my ($requests) = $text =~ /(\d+) requests in/;
        ok(($requests // 0) > 0 && $text !~ /Socket errors|Non-2xx/, "$name: wrk, " . ($requests // 'no') . ' requests') or diag $text;
        return $requests // 0;
    }
    return 0;
}

1;
