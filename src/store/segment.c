#include "store/segment.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void segment_name(char name[SEGMENT_NAME], uint64_t first_id)
{
    snprintf(name, SEGMENT_NAME, "%016" PRIx64 ".seg", first_id);
}

enum segment_name_status segment_name_parse(const char *name, uint64_t *first_id)
{
    size_t n = strlen(name);
    if (n < 4 || strcmp(name + n - 4, ".seg") != 0)
        return SEGMENT_NAME_OTHER;
    char again[SEGMENT_NAME];
    *first_id = strtoull(name, NULL, 16);
    segment_name(again, *first_id);
    return strcmp(name, again) == 0 ? SEGMENT_NAME_OURS : SEGMENT_NAME_WRONG;
}

int segment_create(const struct disk *disk, struct segment *segment)
{
    char name[SEGMENT_NAME];
    uint8_t head[SEGMENT_HEAD];
    segment_name(name, segment->head.first_id);
    segment_head_write(&segment->head, head);
    segment->file = disk->open(disk->ctx, name, 1);
    if (segment->file < 0)
        return segment->file;
    int result = disk->pwrite(disk->ctx, segment->file, head, sizeof head, 0);
    if (result) {
        disk->close(disk->ctx, segment->file);
        /* Gone for good: a next one has a higher name, and an unfinished head behind which the log
         * goes on is damage. */
        if (disk->remove(disk->ctx, name) || disk->sync_dir(disk->ctx))
            result = -EIO;
    }
    return result;
}

void segment_leave(const struct disk *disk, uint64_t first_id, bool now, struct buf *stayed)
{
    char name[SEGMENT_NAME];
    segment_name(name, first_id);
    if (!now || disk->remove(disk->ctx, name))
        buf_append(stayed, &first_id, sizeof first_id);
}

int segment_sync(const struct disk *disk, const struct segment *segment)
{
    int result = disk->sync(disk->ctx, segment->file);
    return result ? result : disk->sync_dir(disk->ctx);
}

int segments_reserve(struct segments *s)
{
    if (s->count + 2 <= s->cap)
        return 0;
    uint32_t cap = s->cap ? s->cap * 2 : 16;
    struct segment *at = realloc(s->at, cap * sizeof *at);
    if (!at)
        return -ENOMEM;
    s->at = at;
    s->cap = cap;
    return 0;
}

void segments_push(struct segments *s, const struct segment *segment)
{
    s->at[s->count++] = *segment;
}

void segments_replace(struct segments *s, uint32_t first, uint32_t count, const struct segment *by)
{
    struct segment *at = &s->at[first];
    uint32_t kept = by ? 1 : 0;
    if (by)
        *at = *by;
    memmove(at + kept, at + count, (s->count - first - count) * sizeof *at);
    s->count -= count - kept;
}

const struct segment *segments_find(const struct segments *s, uint64_t place)
{
    uint32_t low = 0, high = s->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (s->at[middle].head.base <= place)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? &s->at[low - 1] : NULL;
}

void segments_fini(struct segments *s, const struct disk *disk)
{
    for (uint32_t i = 0; i < s->count; i++)
        if (s->at[i].file >= 0)
            disk->close(disk->ctx, s->at[i].file);
    free(s->at);
    *s = (struct segments){0};
}
