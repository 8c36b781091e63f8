#include "store/symbolfile.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "store/lru.h"

struct symbolfile {
    json_t *root;
};

static void path_of(const char *directory, const char *exchange, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/%s.json", directory, exchange);
}

uint64_t symbolfile_mark(const char *directory, const char *exchange)
{
    char path[PATH_MAX];
    struct stat found;

    path_of(directory, exchange, path);
    if (stat(path, &found))
        return 0;
    int64_t mtime = (int64_t)found.st_mtim.tv_sec * 1000000000 + found.st_mtim.tv_nsec;
    uint64_t file = lru_hash_words(found.st_dev, found.st_ino);
    return lru_hash_words(file ^ (uint64_t)mtime, (uint64_t)found.st_size) | 1;
}

/* Parse an open file; what is wrong is left in ${error}. */
static json_t *parse(int fd, json_error_t *error)
{
    struct stat found;

    error->line = 0;
    if (fd < 0 || fstat(fd, &found)) {
        snprintf(error->text, sizeof(error->text), "%s", strerror(errno));
    } else if (!S_ISREG(found.st_mode) || found.st_size > SYMBOLFILE_MAX) {
        snprintf(error->text, sizeof(error->text), "no file, or one of more than %d bytes",
                 SYMBOLFILE_MAX);
    } else {
        json_t *root = json_loadfd(fd, 0, error);

        if (root == NULL || json_is_object(root))
            return root;
        json_decref(root);
        snprintf(error->text, sizeof(error->text), "it is not an object");
    }
    return NULL;
}

struct symbolfile *symbolfile_read(const char *directory, const char *exchange, bool quiet)
{
    struct symbolfile *file = malloc(sizeof(*file));
    char path[PATH_MAX];
    json_error_t error;

    if (file == NULL)
        return NULL;
    path_of(directory, exchange, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    file->root = parse(fd, &error);
    if (file->root == NULL) {
        if (!quiet)
            log_error("%s is ignored: line %d: %s", path, error.line, error.text);
        free(file);
        file = NULL;
    }
    if (fd >= 0)
        close(fd);
    return file;
}

bool symbolfile_find(const struct symbolfile *file, const char *symbol,
                     struct symbolfile_entry *entry)
{
    const json_t *found = file == NULL ? NULL : json_object_get(file->root, symbol);

    *entry = (struct symbolfile_entry){ 0 };
    if (!json_is_object(found))
        return false;
    entry->normalized_id = json_string_value(json_object_get(found, "normalized_id"));
    entry->display_name = json_string_value(json_object_get(found, "display_name"));
    entry->description = json_string_value(json_object_get(found, "description"));
    entry->base = json_string_value(json_object_get(found, "base"));
    entry->quote = json_string_value(json_object_get(found, "quote"));
    entry->category = json_string_value(json_object_get(found, "category"));
    entry->tags = json_object_get(found, "tags");
    return true;
}

const char *symbolfile_tag(const struct symbolfile_entry *entry, size_t number)
{
    const json_t *tags = entry->tags;

    if (number >= json_array_size(tags))
        return NULL;
    const char *tag = json_string_value(json_array_get(tags, number));
    return tag == NULL ? "" : tag; /* what is no string is no tag */
}

void symbolfile_free(struct symbolfile *file)
{
    if (file == NULL)
        return;
    json_decref(file->root);
    free(file);
}
