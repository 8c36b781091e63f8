package Tickd::Data;

# Day files from Perl: DATA/{exchange}/{symbol}/{type}/{column}.{DD}.{MM}.{YY}.bin

use v5.26;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use Exporter 'import';
use File::Path qw(make_path);
use Time::Local qw(timegm_modern);

our @EXPORT_OK = qw(day_of iso_of midnight file_of day_in_file type_of size_of pack_column unpack_column
    write_day append_day write_file read_file sample big_day OLD);

# A modification time that makes a day closed.
use constant OLD => 1_700_000_000;

# day_of('2025-01-31'): days since the epoch.
sub day_of ($iso) {
    my ($year, $month, $day) = $iso =~ /\A(\d{4})-(\d\d)-(\d\d)\z/ or die "no date: $iso";
    return timegm_modern(0, 0, 0, $day, $month - 1, $year) / 86400;
}

sub iso_of ($day) {
    my @t = gmtime $day * 86400;
    return sprintf '%04d-%02d-%02d', $t[5] + 1900, $t[4] + 1, $t[3];
}

sub midnight ($iso) { return day_of($iso) * 86400 }

sub file_of ($column, $day) {
    my @t = gmtime $day * 86400;
    return sprintf '%s.%02d.%02d.%02d.bin', $column, $t[3], $t[4] + 1, $t[5] % 100;
}

# day_in_file(NAME): (column, day), or nothing if it is no day file.
sub day_in_file ($name) {
    my ($column, $day, $month, $year) = $name =~ /\A(.+)\.(\d\d)\.(\d\d)\.(\d\d)\.bin\z/ or return;
    my $seconds = eval { timegm_modern(0, 0, 0, $day, $month - 1, 2000 + $year) };
    return if !defined $seconds;
    return ($column, $seconds / 86400);
}

my %SHIPPED = (
    time => 'u32', nanos => 'u32', side => 'u32', id => 'u64',
    maker_order_id => 'bytes16', taker_order_id => 'bytes16',
);

# type_of(EXCHANGE, TYPE, COLUMN, OVERRIDES): OVERRIDES is {'EX/TY/COL' => type}, * allowed.
sub type_of ($exchange, $type, $column, $overrides = {}) {
    for my $e ($exchange, '*') {
        for my $t ($type, '*') {
            for my $c ($column, '*') {
                my $found = $overrides->{"$e/$t/$c"};
                return $found if defined $found;
            }
        }
    }
    return $SHIPPED{$column} // 'f32';
}

my %SIZE = (u8 => 1, i8 => 1, u16 => 2, i16 => 2, u32 => 4, i32 => 4, u64 => 8, i64 => 8, f32 => 4, f64 => 8);
my %PACK = (u8 => 'C', i8 => 'c', u16 => 'v', i16 => 's<', u32 => 'V', i32 => 'l<', u64 => 'Q<', i64 => 'q<',
    f32 => 'f<', f64 => 'd<');

sub size_of ($type) {
    return $type =~ /\Abytes(\d+)\z/ ? $1 : $SIZE{$type} // die "no column type: $type";
}

sub pack_column ($type, $values) {
    return pack "a$1" x @$values, @$values if $type =~ /\Abytes(\d+)\z/;
    return pack "($PACK{$type})*", @$values;
}

sub unpack_column ($type, $bytes) {
    return unpack "(a$1)*", $bytes if $type =~ /\Abytes(\d+)\z/;
    return unpack "($PACK{$type})*", $bytes;
}

sub write_file ($path, $bytes, $mtime = undef, $mode = '>') {
    open my $file, "$mode:raw", $path or die "$path: $!";
    print {$file} $bytes or die "$path: $!";
    close $file or die "$path: $!";
    utime $mtime, $mtime, $path or die "$path: $!" if defined $mtime;
    return;
}

sub read_file ($path) {
    open my $file, '<:raw', $path or return undef;
    local $/;
    my $bytes = <$file>;
    return $bytes // '';
}

# write_day(DATA, 'EX/SYM/TYPE', '2025-01-31', {column => [values] | \'raw bytes'}, mtime =>, types =>).
# The modification time is OLD unless given; 'now' leaves the file its own. Time comes last.
sub write_day ($data, $series, $iso, $columns, %opt) {
    my ($exchange, undef, $type) = split m{/}, $series;
    my $mtime = $opt{mtime} // OLD;
    make_path("$data/$series");
    for my $column (sort { ($a eq 'time') <=> ($b eq 'time') || $a cmp $b } keys %$columns) {
        my $values = $columns->{$column};
        my $bytes = ref $values ne 'ARRAY' ? $$values
            : pack_column(type_of($exchange, $type, $column, $opt{types} // {}), $values);
        write_file("$data/$series/" . file_of($column, day_of($iso)), $bytes,
            $mtime eq 'now' ? undef : $mtime, $opt{mode} // '>');
    }
    return;
}

# append_day: the same, but the values continue the files.
sub append_day ($data, $series, $iso, $columns, %opt) {
    return write_day($data, $series, $iso, $columns, %opt, mode => '>>');
}

# sample(DATA): a small closed series, coinbase/BTC-USD/MD, three days of January 2025 (the 1st, 2nd
# and 4th), a row every ten seconds from 10:00 on, 200 a day: time nanos price volume id. Its rows are
# numbered in id, 1 to 600.
sub sample ($data) {
    my $id = 0;
    for my $iso (qw(2025-01-01 2025-01-02 2025-01-04)) {
        my @row = 0 .. 199;
        write_day($data, 'coinbase/BTC-USD/MD', $iso, {
            time => [ map { midnight($iso) + 36000 + 10 * $_ } @row ],
            nanos => [ map { 4_999_999 * $_ } @row ],
            price => [ map { 100 + $_ / 8 } @row ],
            volume => [ map { 0.5 * $_ } @row ],
            id => [ map { ++$id } @row ],
        });
    }
    return;
}

# big_day(DATA, SERIES, DAY, ROWS A SECOND, COLUMNS): 86400 times as many rows; the columns are of
# u32-sized records that repeat nowhere near.
sub big_day ($data, $series, $iso, $each, @columns) {
    my $from = midnight($iso);
    my $rows = 86400 * $each;
    my %columns = (time => \join '', map { pack('V', $from + $_) x $each } 0 .. 86399);
    my $noise = pack 'V*', map { ($_ * 2654435761) & 0xffffffff } 1 .. 1 << 18;
    my $turn = 0;
    for my $column (@columns) {
        my $bytes = '';
        while (length $bytes < 4 * $rows) {
            my $at = ($turn++ * 4099 * 4) % length $noise;
            $bytes .= substr($noise, $at) . substr($noise, 0, $at);
        }
        $columns{$column} = \substr($bytes, 0, 4 * $rows);
    }
    write_day($data, $series, $iso, \%columns);
    return $rows;
}

1;
