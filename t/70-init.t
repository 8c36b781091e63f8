#!/usr/bin/perl
# etc/init.d/tickd, with the exit codes of the Linux Standard Base.

use v5.26;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use POSIX qw(WNOHANG);
use Test::More;
use Tickd;
use Tickd::Data qw(sample write_file);

plan skip_all => 'daemons are not followed into a wrapper' if ($ENV{TICKD_WRAPPER} // '') ne '';

my $script = source() . '/etc/init.d/tickd';
my $dir = scratch();
mkdir "$dir/data" or die $!;
sample("$dir/data");
my $engine = defined $ENV{TICKD_ENGINE} ? "-o engine=$ENV{TICKD_ENGINE}" : '';
my $conf = "data = $dir/data\nlisten = 'unix:$dir/s'\nworkers = 1\nadmin_listen = off\nerror_log = $dir/log\n";
defaults();
write_file("$dir/tickd.conf", $conf);

# defaults(NAME => VALUE ...): write the file that /etc/default/tickd stands for.
sub defaults {
    my %set = (DAEMON => build() . '/tickd', CONFIG => "$dir/tickd.conf", PIDFILE => "$dir/pid", DAEMON_ARGS => $engine, @_);
    write_file("$dir/default", join '', map { "$_='$set{$_}'\n" } sort keys %set);
    return;
}

# action(WORDS): {status, out, err} of the script.
sub action {
    my (@words) = @_;
    my $tmp = scratch();
    local $ENV{TICKD_DEFAULTS} = "$dir/default";
    my $pid = Tickd::child([ 'sh', $script, @words ], "$tmp/out", "$tmp/err");
    my $ended = wait_for(30, sub { waitpid($pid, WNOHANG) == $pid });
    my $status = $ended ? $? >> 8 : 'timeout';
    kill 'KILL', -$pid if !$ended;
    return { status => $status, map { $_ => Tickd::_slurp("$tmp/$_") } qw(out err) };
}

# does(STATUS, WORDS): whether the script ends so.
sub does {
    my ($status, @words) = @_;
    my $run = action(@words);
    is($run->{status}, $status, "@words: $status") or diag "$run->{out}$run->{err}", Tickd::_slurp("$dir/log");
    return $run;
}

sub master { return Tickd::_slurp("$dir/pid") =~ /\A(\d+)\n\z/ ? $1 : undef }

sub serves {
    my $http = Tickd::Http->connect(path => "$dir/s", timeout => deadline(10));
    return $http && $http->get('/health')->{status} == 200;
}

END { my $pid = defined $dir ? master() : undef; kill 'KILL', $pid if defined $pid && Tickd::title($pid) =~ /\Atickd: / }

like(Tickd::_slurp($script), qr/^### BEGIN INIT INFO\n(?:# .*\n)+### END INIT INFO$/m, 'it has the header of LSB');
ok(-x $script, 'and can be executed');

does(3, 'status');
does(0, 'stop');
does(7, $_) for qw(reload force-reload upgrade);
does(0, 'start');
ok(serves(), 'it serves');
my $first = master();
like(Tickd::title($first // 0), qr/\Atickd: master/, 'the pid file names the master');
does(0, 'status');
does(0, 'start');
is(master(), $first, 'start, once more, starts nothing');
for my $round (1, 2) {
    does(0, $round == 1 ? 'reload' : 'force-reload');
    ok(wait_for(20, sub { $round == (() = Tickd::_slurp("$dir/log") =~ /notice: reloaded$/mg) }), 'the server reloads');
}
is(master(), $first, 'it is the same process');
does(0, 'upgrade');
ok(wait_for(20, sub { (master() // $first) != $first && !Tickd::alive($first) }), 'another process takes over');
ok(serves(), 'and serves');
$first = master();
does(0, 'restart');
ok(serves(), 'it serves');
isnt(master(), $first, 'as another process');
ok(wait_for(10, sub { !Tickd::alive($first) }), 'the first one is gone');

# A mistake in the file stops nothing, and keeps nothing from stopping.
my $second = master();
write_file("$dir/tickd.conf", "workers = two\n");
my $restart = does(6, 'restart');
like($restart->{err}, qr/:1: option workers: 'two'/, 'with the reason');
does(6, 'reload');
is(master(), $second, 'the server stays');
ok(serves(), 'and serves');
does(0, 'status');
does(0, 'stop');
# The pid file is the last thing it lets go of before it exits.
ok(!-e "$dir/pid" && wait_for(10, sub { !Tickd::alive($second) }), 'it stops');
does(6, 'start');
write_file("$dir/tickd.conf", $conf);

# Killed: the pid file stays, and says so.
does(0, 'restart');
my $third = master();
kill 'KILL', $third;
ok(wait_for(10, sub { !Tickd::alive($third) }), 'a master is killed');
does(1, 'status');
does(0, 'stop');
does(0, 'start');
ok(serves(), 'a new one serves at once');
does(0, 'stop');
does(3, 'status');

my $usage = does(2, 'dance');
like($usage->{err}, qr/\Ausage: .*start\|stop\|restart\|reload\|force-reload\|upgrade\|status\n\z/, 'an unknown action');
does(2);
defaults(DAEMON => '/nowhere/tickd');
does(5, 'start');
does(4, 'status');

done_testing;
