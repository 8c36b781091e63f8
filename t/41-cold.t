#!/usr/bin/perl
# Data that is not in memory: the right bytes all the same, while others are answered, and nothing left behind of
# clients that go and files that change while they are waited for.

use v5.26;
use warnings;
use Fcntl qw(O_RDONLY);
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Tickd;
use Tickd::Data qw(sample big_day write_day write_file read_file midnight day_of iso_of file_of OLD);
use Tickd::Http qw(url);
use Tickd::Oracle;
use Time::HiRes qw(time);

my $data = scratch();
sample($data);
big_day($data, 'coinbase/COLD/MD', '2025-01-01', 30, 'price', 'volume');
my $dir = "$data/coinbase/COLD/MD";
my %file = map { $_ => "$dir/" . file_of($_, day_of('2025-01-01')) } qw(time price volume);
my %bytes = map { $_ => read_file($file{$_}) } keys %file;
my $oracle = Tickd::Oracle->new(data => $data);
my @small = (symbol => 'BTC-USD', type => 'MD', columns => 'time,id', start => '2025-01-01', end => '2025-01-07');
my ($small, $small_right) = (url('/api/data', @small), $oracle->answer(@small));

# chill(FILE...): have the kernel forget them, but for what somebody maps and has touched.
sub chill {
    for my $file (@_) {
        open my $handle, '<', $file or die "$file: $!";
        $handle->sync;
        my $failed = posix_fadvise($handle);
        die "posix_fadvise: $failed" if $failed;
    }
    return;
}

# Perl has no posix_fadvise; the system call has a number of its own on each kind of machine.
sub posix_fadvise {
    my ($handle) = @_;
    my %number = (x86_64 => 221, aarch64 => 223);
    my (undef, undef, undef, undef, $machine) = POSIX::uname();
    my $number = $number{$machine} or return 0;
    return syscall($number, fileno $handle, 0, 0, 4) < 0 ? "$!" : 0;
}

sub target {
    my %query = (symbol => 'COLD', type => 'MD', columns => 'price', start => '2025-01-01', end => '2025-01-01', @_);
    return url('/api/data', map { $_ => $query{$_} } sort keys %query);
}

sub is_column {
    my ($r, $column, $name) = @_;
    my $body = $r->{body} // '';
    return ok(!$r->{error} && substr($body, index($body, "\n") + 1) eq $bytes{$column}, $name) || diag $r->{error} // length $body;
}

# fresh(OPTIONS): a server that has seen none of the data, which is cold.
sub fresh {
    my (@options) = @_;
    chill(values %file, glob "$data/coinbase/BTC-USD/MD/*");
    return Tickd->start(data => $data, workers => 1, options => \@options);
}

subtest 'cold data is sent as it is' => sub {
    for my $helpers (1, 4) {
        my $server = fresh("helpers=$helpers");
        is_answer($server->get($small), $small_right, "$helpers helpers: a small answer");
        for my $column (sort keys %bytes) {
            is_column($server->get(target(columns => $column)), $column, "$helpers helpers: $column");
        }
        is_column($server->get(target(columns => 'price')), 'price', "$helpers helpers: again");
        $server->stop_ok("$helpers helpers: the server");
    }
    for my $query ([ max_points => 1000 ], [ max_points => 100_000 ], [ max_points => 50 ], [ tail => 10 ], [ limit => 3 ], [ framing => 'length' ]) {
        my $server = fresh();
        my @query = (symbol => 'COLD', type => 'MD', columns => 'volume,time,price', start => '2025-01-01', end => '2025-01-01', @$query);
        is_answer($server->get(url('/api/data', @query)), $oracle->answer(@query), "@$query");
        $server->stop_ok('the server');
    }
};

subtest 'a day whose times step back' => sub {
    my $mixed = scratch();
    my $m = midnight('2025-01-02');
    my $rows = 300_000;
    write_day($mixed, 'coinbase/BACK/MD', '2025-01-02', {
        time => [ map { $m + ($_ * 7919) % 86400 } 1 .. $rows ], price => [ 1 .. $rows ], id => [ map { 3 * $_ } 1 .. $rows ] });
    my $right = Tickd::Oracle->new(data => $mixed);
    my @query = (symbol => 'BACK', type => 'MD', columns => 'id,price,time', start => $m + 1000, end => $m + 30_000);
    for my $more ([], [ max_points => 100 ]) {
        chill(glob "$mixed/coinbase/BACK/MD/*");
        my $server = Tickd->start(data => $mixed, workers => 1);
        is_answer($server->get(url('/api/data', @query, @$more)), $right->answer(@query, @$more), "scattered rows @$more");
        $server->stop_ok('the server');
    }
};

subtest 'many cold streams at once' => sub {
    my $server = fresh('helpers=2');
    my ($worker) = $server->workers;
    my @columns = (sort keys %bytes) x 6;
    my @clients = map { $server->connect(undef, timeout => deadline(60)) } @columns;
    $clients[$_]->send('GET ' . target(columns => $columns[$_]) . " HTTP/1.1\r\nHost: a\r\n\r\n") for 0 .. $#columns;
    my $wrong = grep { !is_answer($server->get($small), $small_right) } 1 .. 50;
    is($wrong, 0, 'small answers beside them');
    is_column($clients[$_]->response, $columns[$_], "stream $_") for 0 .. $#columns;
    is(join(' ', $server->workers), $worker, 'by the same worker');
    $server->stop_ok('the server');
};

subtest 'clients that go' => sub {
    my $server = fresh('helpers=1');
    my ($worker) = $server->workers;
    is_answer($server->get($small), $small_right, 'before');
    for my $round (1 .. 10) {
        chill(values %file);
        for my $n (1 .. 8) {
            my $http = $server->connect;
            $http->send('GET ' . target(columns => (sort keys %bytes)[ $n % 3 ], start => midnight('2025-01-01') + 2000 * $round * $n) . " HTTP/1.1\r\nHost: a\r\n\r\n");
            $n % 2 ? $http->reset : $http->close;
        }
        is_answer($server->get($small), $small_right) or fail("round $round");
    }
    is_column($server->get(target()), 'price', 'the next one gets all');
    is(join(' ', $server->workers), $worker, 'the worker is the same');
    # One that stops with reads under way leaves nothing, either.
    chill(values %file);
    my @more = map { $server->connect } 1 .. 8;
    $_->send('GET ' . target(columns => 'volume,price,time') . " HTTP/1.1\r\nHost: a\r\n\r\n") for @more;
    $server->stop_ok('the server');
};

subtest 'files that change' => sub {
    for my $to (8_000_000, 100_001, 0) {
        my $server = fresh('helpers=1');
        my ($worker) = $server->workers;
        my @clients = map { $server->connect(undef, timeout => deadline(30), rcvbuf => 65536) } 1 .. 4;
        $_->send('GET ' . target() . " HTTP/1.1\r\nHost: a\r\n\r\n") for @clients;
        $clients[0]->_need(1, time + deadline(10));
        truncate $file{price}, $to or die $!;
        for my $http (@clients) {
            my $r = $http->response;
            my $part = substr $r->{body} // '', index($r->{body} // '', "\n") + 1;
            # Cut off before it was looked at: a live day of fewer rows; or an error; or short, with zeros at most.
            ok($r->{error} || $r->{status} != 200 || length $part == $to - $to % 4, "to $to: short, or what there is");
        }
        is(join(' ', $server->workers), $worker, "to $to: the worker is the same");
        write_file($file{price}, $bytes{price}, OLD);
        is_column($server->get(target()), 'price', "to $to: mended");
        chill($file{price});
        my $http = $server->connect(undef, timeout => deadline(30), rcvbuf => 65536);
        $http->send('GET ' . target(columns => 'volume') . " HTTP/1.1\r\nHost: a\r\n\r\n");
        $http->_need(1, time + deadline(10));
        write_file("$file{volume}.new", 'x' x length $bytes{volume}, OLD);
        rename "$file{volume}.new", $file{volume} or die $!;
        my $r = $http->response;
        my $part = substr $r->{body}, index($r->{body}, "\n") + 1;
        ok($part eq substr($bytes{volume}, 0, length $part), "to $to: replaced: the old bytes");
        write_file($file{volume}, $bytes{volume}, OLD);
        $server->stop_ok('the server');
    }
};

done_testing;
