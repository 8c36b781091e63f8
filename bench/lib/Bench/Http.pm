package Bench::Http;

# Just enough of HTTP/1.1 to know, before anything is measured, that all peers return the same
# bytes. Bodies are hashed as they pass and may be written to a file.

use strict;
use warnings;
use Digest::SHA;
use IO::Socket::INET;

# new($port): a connection to 127.0.0.1, kept alive between requests; undef if refused.
sub new {
    my ($class, $port) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 5)
        or return;
    return bless { socket => $socket, buffer => '' }, $class;
}

# get($target, $file): returns { status, header, length, sha }; dies on a broken answer.
sub get {
    my ($self, $target, $file) = @_;
    my $request = "GET $target HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    syswrite($self->{socket}, $request) == length $request or die "request: $!\n";
    my $header = $self->_until("\r\n\r\n");
    my ($status) = $header =~ m{^HTTP/1\.1 (\d{3}) } or die "no status in: $header\n";

    my $answer = {
        status => $status, header => $header, length => 0, sha => Digest::SHA->new(256),
    };
    open $answer->{out}, '>:raw', $file or die "$file: $!\n" if defined $file;
    if ($header =~ /^Transfer-Encoding:\s*chunked\s*$/mi) { $self->_chunks($answer) }
    elsif ($header =~ /^Content-Length:\s*(\d+)\s*$/mi)   { $self->_pass($answer, $1) }
    else { die "an answer without a length\n" }
    if (my $out = delete $answer->{out}) { close $out or die "$file: $!\n" }
    $answer->{sha} = $answer->{sha}->hexdigest;
    return $answer;
}

sub _fill {
    my ($self) = @_;
    my $n = sysread $self->{socket}, $self->{buffer}, 1 << 18, length $self->{buffer};
    die "the connection ended within an answer\n" unless $n;
}

sub _until {
    my ($self, $mark) = @_;
    my $at;
    $self->_fill while ($at = index $self->{buffer}, $mark) < 0;
    return substr $self->{buffer}, 0, $at + length $mark, '';
}

# Hand $length bytes of body on.
sub _pass {
    my ($self, $answer, $length) = @_;
    $answer->{length} += $length;
    while ($length > 0) {
        $self->_fill if $self->{buffer} eq '';
        my $part = substr $self->{buffer}, 0, $length, '';
        $answer->{sha}->add($part);
        print { $answer->{out} } $part if $answer->{out};
        $length -= length $part;
    }
}

sub _chunks {
    my ($self, $answer) = @_;
    for (;;) {
        my ($size) = $self->_until("\r\n") =~ /^([0-9a-f]+)\s*\r\n$/i or die "not a chunk size\n";
        $self->_pass($answer, hex $size);
        my $end = $self->_until("\r\n");
        die "a chunk longer than its size\n" if $end ne "\r\n";
        return if hex $size == 0;
    }
}

1;
